"""The HTTP face: routes, decoding, encoding, the page's files."""
