"""One value, many renderers: text, JSON, CSV, Markdown, HTML, charts."""
