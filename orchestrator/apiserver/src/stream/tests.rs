mod channels;
mod frames;
mod log;
mod tunnel;
mod world;
