//! What a Pod names as its image.

use oci_distribution::{ParseError, Reference};
use std::fmt;
use std::path::PathBuf;

#[cfg(test)]
mod tests;

/// The scheme of an image that is a file of the host.
const FILE_SCHEME: &str = "file://";
/// The registry of names without one.
const DEFAULT_REGISTRY: &str = "docker.io";

/// A parsed image name; its [`fmt::Display`] is the canonical form.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImageReference {
    /// `[registry/]repository[:tag][@digest]`, with `docker.io` and `latest` filled in.
    Registry(Reference),
    /// `file:///path`, a Wasm file of the host.
    File(PathBuf),
}

/// A name that is no image name. The message is the kubelet's for the reason InvalidImageName.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Failed to apply default image tag {image:?}: couldn't parse image name {image:?}: {problem}")]
pub struct InvalidImageName {
    /// What the user wrote.
    pub image: String,
    /// What is wrong with it, in the words of github.com/distribution/reference.
    pub problem: String,
}

impl ImageReference {
    /// Parses what stands in `image:` of a container.
    pub fn parse(image: &str) -> Result<Self, InvalidImageName> {
        let invalid = |problem: String| InvalidImageName { image: image.to_owned(), problem };
        if let Some(path) = image.strip_prefix(FILE_SCHEME) {
            let path = PathBuf::from(path);
            // Only normal parts, so that one file has one name.
            let plain = path.components().skip(1).all(|part| matches!(part, std::path::Component::Normal(_)));
            return if path.is_absolute() && plain && path.file_name().is_some() {
                Ok(ImageReference::File(path))
            } else {
                Err(invalid(
                    "a file:// image needs an absolute path without '..', as in file:///home/me/app.wasm".into(),
                ))
            };
        }
        if is_image_id(image) {
            return Err(invalid(format!(
                "invalid repository name ({image}), cannot specify 64-byte hexadecimal strings"
            )));
        }
        parse_registry(image).map(ImageReference::Registry).map_err(|error| invalid(problem(image, &error)))
    }

    /// The host (and port) of the registry; `None` for a file.
    pub fn registry(&self) -> Option<&str> {
        match self {
            ImageReference::Registry(reference) => Some(reference.registry()),
            ImageReference::File(_) => None,
        }
    }

    /// `registry/repository` without tag and digest; empty for a file.
    pub fn repository(&self) -> String {
        match self {
            ImageReference::Registry(reference) => format!("{}/{}", reference.registry(), reference.repository()),
            ImageReference::File(_) => String::new(),
        }
    }

    /// The last part of the name, which a program without a name of its own is called by.
    pub fn program(&self) -> String {
        match self {
            ImageReference::Registry(reference) => {
                reference.repository().rsplit('/').next().unwrap_or_default().to_owned()
            }
            ImageReference::File(path) => {
                path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            }
        }
    }

    /// Whether the registry is on this machine, by its name alone.
    pub(crate) fn is_loopback(registry: &str) -> bool {
        let host = match registry.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => registry,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for ImageReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ImageReference::Registry(reference) => write!(f, "{reference}"),
            ImageReference::File(path) => write!(f, "{FILE_SCHEME}{}", path.display()),
        }
    }
}

/// The library's own parser, with IPv6 addresses as registries besides.
fn parse_registry(image: &str) -> Result<Reference, ParseError> {
    let Some((address, rest)) = image.strip_prefix('[').and_then(|rest| rest.split_once(']')) else {
        return image.parse();
    };
    address.parse::<std::net::Ipv6Addr>().map_err(|_| ParseError::ReferenceInvalidFormat)?;
    if !rest.starts_with([':', '/']) {
        return Err(ParseError::ReferenceInvalidFormat);
    }
    // A name takes the address' place while the rest is parsed.
    let parsed: Reference = format!("localhost{rest}").parse()?;
    let Some(port) = parsed.registry().strip_prefix("localhost") else {
        return Err(ParseError::ReferenceInvalidFormat);
    };
    let (registry, repository) = (format!("[{address}]{port}"), parsed.repository().to_owned());
    Ok(match (parsed.tag().map(str::to_owned), parsed.digest().map(str::to_owned)) {
        (Some(tag), Some(digest)) => Reference::with_tag_and_digest(registry, repository, tag, digest),
        (None, Some(digest)) => Reference::with_digest(registry, repository, digest),
        (tag, None) => Reference::with_tag(registry, repository, tag.unwrap_or_else(|| "latest".to_owned())),
    })
}

/// The bare identifier of an image, which Docker would take for one and which no registry knows.
fn is_image_id(image: &str) -> bool {
    image.len() == 64 && image.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn problem(image: &str, error: &ParseError) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let name = match name.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => name,
    };
    let (domain, path) = match name.split_once('/') {
        Some((domain, path)) if domain.contains(['.', ':']) || domain == "localhost" => (domain, path.to_owned()),
        Some(_) => (DEFAULT_REGISTRY, name.to_owned()),
        None => (DEFAULT_REGISTRY, format!("library/{name}")),
    };
    let lowercase = format!("{domain}/{}", path.to_lowercase());
    let only_case = path.chars().any(|c| c.is_ascii_uppercase()) && lowercase.parse::<Reference>().is_ok();
    match error {
        ParseError::ReferenceInvalidFormat | ParseError::NameContainsUppercase if only_case => {
            format!("invalid reference format: repository name ({path}) must be lowercase")
        }
        other => other.to_string(),
    }
}

/// Foreign bytes as an image name.
pub(crate) fn fuzz(bytes: &[u8]) {
    if let Ok(Ok(reference)) = std::str::from_utf8(bytes).map(ImageReference::parse) {
        let again = ImageReference::parse(&reference.to_string()).expect("a canonical name parses");
        assert_eq!(again, reference);
    }
}
