//! Named bounds.

/// Bytes of all files of one file set; the API caps a ConfigMap or Secret at 1 MiB, a projected
/// volume joins several. Stops a projection from filling the disk.
pub const FILE_SET_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of one path of a file set; longer ones fail with a name instead of deep in the kernel.
pub const PATH_BYTES_MAX: usize = 1024;
