//! The node's name.

use anyhow::{Context, bail};
use runtime_base::path::write_atomic;
use std::fs;
use std::path::Path;

/// The name that the data directory remembers; at first the host's name, made fit for a Node.
pub fn node_name(data_dir: &Path) -> anyhow::Result<String> {
    let path = data_dir.join("node-name");
    match fs::read_to_string(&path) {
        Ok(text) => {
            let name = text.trim().to_owned();
            if name.is_empty() || name != fit(&name) {
                bail!(
                    "{} does not hold a node name: write one into it (lower-case letters, digits, '-', '.')",
                    path.display()
                );
            }
            Ok(name)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let uname = rustix::system::uname();
            let name = fit(&uname.nodename().to_string_lossy());
            let name = if name.is_empty() { "node".to_owned() } else { name };
            write_atomic(&path, format!("{name}\n").as_bytes(), 0o600)
                .with_context(|| format!("cannot write {}", path.display()))?;
            Ok(name)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// A DNS subdomain (RFC 1123) from any text.
fn fit(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mapped: String =
        lower.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' }).take(253).collect();
    let labels = mapped.split('.').map(|label| label.trim_matches('-')).filter(|label| !label.is_empty());
    labels.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_fit_and_kept() {
        assert_eq!(fit("My_Laptop.local"), "my-laptop.local");
        assert_eq!(fit("-..-"), "");
        let dir = tempfile::tempdir().unwrap();
        let name = node_name(dir.path()).unwrap();
        assert_eq!(node_name(dir.path()).unwrap(), name);
        fs::write(dir.path().join("node-name"), "Not Good").unwrap();
        assert!(node_name(dir.path()).unwrap_err().to_string().contains("node-name"));
    }
}
