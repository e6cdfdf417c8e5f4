//! What the house looks like, as a test: edges between crates, fences around dependencies, sizes
//! of files, words that do not belong.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests_kit::programs::repository;

/// Which crate may use which; a new edge is a reviewed change of this list.
const EDGES: &[(&str, &[&str])] = &[
    ("runtime-base", &[]),
    ("runtime-spec", &["runtime-base"]),
    ("runtime-wasm", &["runtime-base", "runtime-spec"]),
    ("runtime-image", &["runtime-base", "runtime-spec"]),
    ("runtime-volume", &["runtime-base", "runtime-spec"]),
    ("runtime-network", &["runtime-base", "runtime-spec"]),
    ("runtime-proxy", &["runtime-base", "runtime-spec"]),
    ("orchestrator-apimachinery", &[]),
    ("orchestrator-store", &["runtime-base"]),
    ("orchestrator-apiserver", &["runtime-base", "orchestrator-apimachinery", "orchestrator-store"]),
    ("orchestrator-client", &["runtime-base"]),
    ("orchestrator-scheduler", &["runtime-base", "orchestrator-apimachinery", "orchestrator-client"]),
    ("orchestrator-controllers", &["runtime-base", "orchestrator-apimachinery", "orchestrator-client"]),
    (
        "orchestrator-kubelet",
        &[
            "runtime-base",
            "runtime-spec",
            "runtime-image",
            "runtime-volume",
            "runtime-network",
            "runtime-proxy",
            "orchestrator-apimachinery",
            "orchestrator-client",
        ],
    ),
    ("tests-kit", &[]),
    ("tests-node", &["runtime-base"]),
    (
        "tests-testbed",
        &["runtime-base", "orchestrator-apimachinery", "orchestrator-apiserver", "orchestrator-store", "tests-node"],
    ),
    ("tests-it", &["tests-kit"]),
    ("tests-bench", &["tests-kit"]),
];

/// Heavy or dangerous dependencies, and the only crates that may name them.
const FENCES: &[(&str, &[&str])] = &[
    ("wasmtime", &["runtime-wasm"]),
    ("wasmtime-wasi", &["runtime-wasm"]),
    ("wasmtime-wasi-http", &["runtime-wasm"]),
    ("redb", &["orchestrator-store"]),
    ("prost", &["orchestrator-apimachinery", "orchestrator-store"]),
    ("oci-client", &["runtime-image"]),
    ("clap", &["orchestrator-cli", "tests-bench"]),
    ("serde-saphyr", &["orchestrator-apimachinery"]),
    ("rcgen", &["orchestrator-apiserver"]),
    ("jsonwebtoken", &["orchestrator-apiserver"]),
];

/// Crates that may hold unsafe code, with a SAFETY comment at each block.
const UNSAFE: &[&str] = &["runtime/wasm", "runtime/runc", "runtime/network"];

const LINES_MAX: usize = 1000;

fn metadata() -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version=1", "--no-deps", "--locked"]).current_dir(repository());
    let output = command.output().expect("cargo runs");
    serde_json::from_slice(&output.stdout).expect("cargo prints JSON")
}

/// Every crate of the workspace with its dependencies but those of its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    let of = |package: &Value| {
        let all = package["dependencies"].as_array().cloned().unwrap_or_default();
        let shipped = all.into_iter().filter(|dependency| dependency["kind"] != "dev");
        shipped.map(|dependency| dependency["name"].as_str().unwrap_or("").to_owned()).collect()
    };
    packages.map(|package| (package["name"].as_str().unwrap_or("").to_owned(), of(package))).collect()
}

fn sources() -> Vec<PathBuf> {
    let output = Command::new("git").args(["ls-files", "-co", "--exclude-standard"]).current_dir(repository()).output();
    let listed = output.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
    let names = String::from_utf8_lossy(&listed).into_owned();
    let files: Vec<PathBuf> = names.lines().map(|name| repository().join(name)).filter(|path| path.is_file()).collect();
    assert!(!files.is_empty(), "git lists the files");
    files
}

fn rust_sources() -> Vec<(PathBuf, String)> {
    let rust = sources().into_iter().filter(|path| path.extension().is_some_and(|e| e == "rs"));
    rust.filter_map(|path| fs::read_to_string(&path).ok().map(|text| (path, text))).collect()
}

#[test]
fn crates_use_only_the_crates_below_them() {
    for (name, dependencies) in dependencies() {
        if name == "orchestrator-cli" {
            continue;
        }
        let Some((_, allowed)) = EDGES.iter().find(|(crate_, _)| *crate_ == name) else {
            panic!("crate {name} is not in the list of edges");
        };
        let rooms = dependencies
            .iter()
            .filter(|d| ["runtime-", "orchestrator-", "tests-"].iter().any(|room| d.starts_with(room)));
        for dependency in rooms {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not use {dependency}");
        }
    }
}

#[test]
fn heavy_dependencies_stay_behind_their_fences() {
    for (name, dependencies) in dependencies() {
        for (dependency, allowed) in FENCES {
            let used = dependencies.contains(*dependency);
            assert!(!used || allowed.contains(&name.as_str()), "{name} must not use {dependency}");
        }
    }
}

#[test]
fn files_are_short_and_named_by_their_module() {
    let mut long = Vec::new();
    for (path, text) in rust_sources() {
        assert!(!path.ends_with("mod.rs"), "{}: use foo.rs beside foo/", path.display());
        let lines = text.lines().count();
        if lines > LINES_MAX {
            long.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "split: {long:#?}");
}

#[test]
fn every_crate_says_what_it_is_for() {
    let members = dependencies();
    for name in members.keys() {
        let dir = repository().join(name.replacen('-', "/", 1));
        let root =
            ["src/lib.rs", "src/main.rs", "lib.rs"].iter().map(|file| dir.join(file)).find(|path| path.is_file());
        let root = root.unwrap_or_else(|| panic!("no root module in {}", dir.display()));
        let text = fs::read_to_string(&root).unwrap();
        assert!(text.starts_with("//! "), "{} opens with what it is for", root.display());
    }
}

#[test]
fn shipped_code_has_no_unfinished_or_forbidden_parts() {
    let banned = ["todo!(", "unimplemented!(", "#[ignore", "unbounded_channel(", "static mut "];
    let mut found = Vec::new();
    for (path, text) in rust_sources() {
        if path.ends_with("tests/it/tidy.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            for word in banned.iter().filter(|word| code.contains(**word)) {
                found.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn unsafe_code_is_fenced_and_explained() {
    let mut found = Vec::new();
    for (path, text) in rust_sources() {
        if path.ends_with("tests/it/tidy.rs") {
            continue;
        }
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or("");
            if !(code.contains("unsafe {") || code.contains("unsafe fn") || code.contains("unsafe impl")) {
                continue;
            }
            let allowed = UNSAFE.iter().any(|room| path.starts_with(repository().join(room)));
            let explained = lines[number.saturating_sub(6)..=number].iter().any(|line| line.contains("SAFETY"));
            if !allowed || !explained {
                found.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "unsafe without a fence or a SAFETY comment: {found:#?}");
}

#[test]
fn the_root_holds_only_what_the_page_names() {
    let allowed = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "examples",
        "orchestrator",
        "runtime",
        "tests",
        "wit",
    ];
    let root = repository();
    let mut extra = BTreeSet::new();
    for path in sources() {
        let relative = path.strip_prefix(&root).unwrap_or(Path::new(""));
        let first =
            relative.components().next().map(|c| c.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        if !first.starts_with('.') && !allowed.contains(&first.as_str()) {
            extra.insert(first);
        }
    }
    assert!(extra.is_empty(), "{extra:?}");
}

#[test]
fn every_direct_dependency_is_explained() {
    let page = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let manifest = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap_or("");
    let section = section.split("\n[").next().unwrap_or("");
    let names = section.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.trim());
    let ours = |name: &&str| !["runtime-", "orchestrator-", "tests-"].iter().any(|room| name.starts_with(room));
    let missing: Vec<&str> = names.filter(ours).filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md, Dependencies: {missing:?}");
}
