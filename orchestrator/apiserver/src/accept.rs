//! What a client accepts: the shape of an answer and its media type.

use orchestrator_apimachinery::ApiError;
use orchestrator_apimachinery::codec::{ACCEPTED, WITHOUT_PROTOBUF};

/// The shape that an answer is to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// The objects themselves.
    #[default]
    Plain,
    /// `meta.k8s.io/v1` Table.
    Table,
    /// `meta.k8s.io/v1` PartialObjectMetadata(List).
    Partial,
    /// `apidiscovery.k8s.io/v2`.
    Discovery,
    /// `apidiscovery.k8s.io/v2beta1`.
    DiscoveryBeta,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// `application/json`
    #[default]
    Json,
    /// `application/yaml`
    Yaml,
    /// `application/vnd.kubernetes.protobuf`
    Protobuf,
}

impl Media {
    /// The Content-Type of an answer.
    pub fn content_type(self) -> &'static str {
        match self {
            Media::Json => "application/json",
            Media::Yaml => "application/yaml",
            Media::Protobuf => "application/vnd.kubernetes.protobuf",
        }
    }
}

/// The first part of an Accept header that is served, by quality and then by order. `protobuf` says
/// whether the objects have a protobuf form; their metadata always has one, a Table never.
pub fn negotiate(accept: Option<&str>, protobuf: bool) -> Result<(Shape, Media), ApiError> {
    let accept = accept.unwrap_or_default().trim();
    if accept.is_empty() {
        return Ok((Shape::Plain, Media::Json));
    }
    let mut ranges: Vec<Range<'_>> = accept.split(',').filter_map(Range::parse).collect();
    ranges.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    let found = ranges.iter().filter(|range| range.quality > 0.0).find_map(|range| range.choose(protobuf));
    found.ok_or_else(|| ApiError::not_acceptable(if protobuf { ACCEPTED } else { WITHOUT_PROTOBUF }))
}

/// One media range of an Accept header.
struct Range<'a> {
    media: Media,
    parameters: Vec<(&'a str, &'a str)>,
    quality: f64,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let media = match parts.next()?.to_ascii_lowercase().as_str() {
            "application/json" | "application/*" | "*/*" => Media::Json,
            "application/yaml" => Media::Yaml,
            "application/vnd.kubernetes.protobuf" => Media::Protobuf,
            _ => return None,
        };
        let parameters: Vec<(&str, &str)> = parts.filter_map(|part| part.split_once('=')).collect();
        let quality = parameters.iter().find(|(name, _)| *name == "q").map_or("1", |(_, value)| value);
        Some(Range { media, quality: quality.parse().unwrap_or(1.0), parameters })
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.parameters.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    fn choose(&self, protobuf: bool) -> Option<(Shape, Media)> {
        let is_protobuf = self.media == Media::Protobuf;
        let shape = match (self.get("as"), self.get("v")) {
            (None, _) if protobuf || !is_protobuf => Shape::Plain,
            (Some("PartialObjectMetadata" | "PartialObjectMetadataList"), Some("v1")) => Shape::Partial,
            (Some("Table"), Some("v1")) if !is_protobuf => Shape::Table,
            (Some("APIGroupDiscoveryList"), Some("v2")) if !is_protobuf => Shape::Discovery,
            (Some("APIGroupDiscoveryList"), Some("v2beta1")) if !is_protobuf => Shape::DiscoveryBeta,
            _ => return None,
        };
        Some((shape, self.media))
    }
}

#[cfg(test)]
mod tests;
