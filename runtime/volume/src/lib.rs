//! Volumes of Pods on the host: directories that stay below the Pod's own, and file sets that
//! change all at once.
//!
//! In: names, paths and bytes that the kubelet resolved. Out: directories to mount. Must not
//! touch: any API group, what runs in the Pod.
//!
//! The layout below a data directory is `pods/UID/volumes/SORT/NAME`, the kubelet's own.

pub mod dir;
pub mod files;
pub mod limits;

pub use dir::{HostPathKind, PodDirs, VolumeDir, VolumeError, host_path, sub_path};
pub use files::{FileEntry, FileSet};
