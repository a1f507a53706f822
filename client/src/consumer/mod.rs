//! Consumer.
mod assignor;
mod membership;
