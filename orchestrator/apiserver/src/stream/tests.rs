mod channels;
pub(crate) mod frames;
mod log;
mod tunnel;
mod world;
