//! Named bounds.

/// Bytes of a request body; stops a client from filling memory (upstream's 3 MiB).
pub const BODY_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Bytes of all annotations of an object (upstream's 256 KiB).
pub const ANNOTATION_BYTES_MAX: usize = 256 * 1024;
/// Operations of one JSON patch; stops quadratic work.
pub const JSON_PATCH_OPERATIONS_MAX: usize = 10_000;
/// Depth of nested values in any body; stops stack overflow.
pub const DEPTH_MAX: usize = 128;
/// Bytes of one YAML document.
pub const YAML_DOCUMENT_BYTES_MAX: usize = 3 * 1024 * 1024;
