mod authenticate;
mod authorize;
mod forgery;
mod matrix;
mod node;
pub(crate) mod world;
