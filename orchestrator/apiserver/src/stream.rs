//! Streams between clients and nodes.
