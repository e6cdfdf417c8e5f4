//! `coracle image`: packing and sending images.

use crate::args::{ImageArgs, ImageCommand};
use crate::{paths, server};
use anyhow::Context;
use runtime_base::Clock;
use runtime_image::{Credential, ImageReference, ImageStore, ImageStoreConfig, build_artifact};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The images below a data directory.
pub fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("images")
}

/// Does what was asked.
pub fn main(args: ImageArgs) -> anyhow::Result<ExitCode> {
    let data_dir = paths::data_dir(args.data_dir)?;
    paths::prepare(&data_dir)?;
    runtime_image::install_tls();
    let store = ImageStore::open(ImageStoreConfig::new(directory(&data_dir)))?;
    server::runtime()?.block_on(async {
        match args.command {
            ImageCommand::Build { file, tag } => build(&store, &file, &tag).await,
            ImageCommand::Push { reference, username } => push(&store, &reference, username).await,
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stdout, reason = "the command's output")]
async fn build(store: &ImageStore, file: &Path, tag: &str) -> anyhow::Result<()> {
    let reference = ImageReference::parse(tag)?;
    let wasm = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let title = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let artifact = build_artifact(&wasm, &title, Clock::system().now()).with_context(|| file.display().to_string())?;
    let image = store.store(&reference, artifact).await?;
    println!("{} {}", image.reference, image.id);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the command's output")]
async fn push(store: &ImageStore, reference: &str, username: Option<String>) -> anyhow::Result<()> {
    let parsed = ImageReference::parse(reference)?;
    let credentials: Vec<Credential> = match username {
        None => Vec::new(),
        Some(username) => {
            let password = std::env::var("CORACLE_REGISTRY_PASSWORD")
                .context("--username needs the password in CORACLE_REGISTRY_PASSWORD")?;
            let registry = parsed.registry().unwrap_or_default().to_owned();
            vec![Credential { registry, username, password }]
        }
    };
    let digest = store.push(&parsed, &credentials).await?;
    println!("{reference} {digest}");
    Ok(())
}
