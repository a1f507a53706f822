//! The broker in virtual time: requests in, replies out, no socket.

mod fetch;
mod kept;
mod produce;
mod replication;
mod retention;
mod secrets;
mod sessions;
mod topics;
mod transactions;
mod world;
