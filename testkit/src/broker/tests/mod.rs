//! The broker in virtual time: requests in, replies out, no socket.

mod fetch;
mod produce;
mod replication;
mod retention;
mod secrets;
mod security;
mod sessions;
mod topics;
mod world;
