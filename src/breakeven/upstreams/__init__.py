"""The seam to model servers: how a wire is read and written, and how a request is sent. One file each."""
