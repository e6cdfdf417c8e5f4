mod authenticate;
mod authorize;
mod bootstrap_token;
mod forgery;
mod matrix;
mod node;
pub(crate) mod world;
