//! Where the programs are that tests drive.

use std::env;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("tests/kit is two levels down").to_owned()
}

/// The binary under test: `CORACLE_BIN`, or the one beside the test's own executable.
pub fn coracle() -> PathBuf {
    if let Some(path) = env::var_os("CORACLE_BIN") {
        return path.into();
    }
    let test = env::current_exe().expect("a test has a path");
    let built = test.ancestors().map(|dir| dir.join("coracle")).find(|path| path.is_file());
    built.unwrap_or_else(|| panic!("no coracle beside {}: run cargo build --bin coracle", test.display()))
}

fn cache() -> PathBuf {
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".cache");
    base.unwrap_or_else(home).join("coracle/tools")
}

fn find(variable: &str, name: &str, how: &str) -> PathBuf {
    if let Some(path) = env::var_os(variable) {
        return path.into();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = std::iter::once(cache()).chain(env::split_paths(&path)).map(|dir| dir.join(name));
    places.find(|path| path.is_file()).unwrap_or_else(|| panic!("{name} not found: {how}, or set {variable}"))
}

/// kubectl 1.35.
pub fn kubectl() -> PathBuf {
    find("CORACLE_KUBECTL", "kubectl", "run bash tests/tools.sh")
}

/// kubectl 1.32.
pub fn kubectl_1_32() -> PathBuf {
    find("CORACLE_KUBECTL_1_32", "kubectl-1.32", "run bash tests/tools.sh")
}

/// helm 4.
pub fn helm() -> PathBuf {
    find("CORACLE_HELM", "helm", "run bash tests/tools.sh")
}

/// A program of the Python environment that tests/tools.sh makes: `python`, `st`.
pub fn python(name: &str) -> PathBuf {
    let path = cache().join("python/bin").join(name);
    assert!(path.is_file(), "{} is missing: run bash tests/tools.sh", path.display());
    path
}

/// Debian's registry.
pub fn docker_registry() -> PathBuf {
    find("CORACLE_REGISTRY", "docker-registry", "run bash tests/tools.sh")
}

/// Debian's etcd.
pub fn etcd() -> PathBuf {
    find("CORACLE_ETCD", "etcd", "run bash tests/tools.sh")
}

/// A guest of examples/dist, such as `hello-http`.
pub fn guest(name: &str) -> PathBuf {
    let path = repository().join("examples/dist").join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run bash examples/build.sh", path.display());
    path
}

/// The same as the image of a container.
pub fn guest_image(name: &str) -> String {
    format!("file://{}", guest(name).display())
}
