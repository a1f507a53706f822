//! What is done to a cluster rather than to its records. A file per noun: `topics`.

mod topics;

use crate::client::Client;
use crate::config::ClientConfig;
use crate::error::Error;

pub use self::topics::{NewTopic, TopicListing};

/// Creates, describes and lists topics.
#[derive(Debug, Clone)]
pub struct Admin {
    client: Client,
}

impl Admin {
    /// With connections of its own. Needs a tokio runtime.
    ///
    /// # Errors
    /// When `bootstrap.servers` is not set.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        Ok(Self { client: Client::new(config)? })
    }

    /// With the connections of a client.
    #[must_use]
    pub fn with_client(client: &Client) -> Self {
        Self { client: client.clone() }
    }
}
