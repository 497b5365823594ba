"""The life of one request, without HTTP: decide, hold, send, price, settle, record."""
