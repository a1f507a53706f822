//! The connections and metadata that several producers and consumers can share.

use crate::cluster::Cluster;
use crate::config::ClientConfig;
use tidemill_protocol::ErrorCode;

use crate::error::Error;

/// A cluster's connections and metadata, shared. Cheap to clone; everything ends with the last handle.
#[derive(Debug, Clone)]
pub struct Client {
    cluster: Cluster,
}

impl Client {
    /// Begins to learn about the cluster, without waiting for it. Needs a tokio runtime.
    ///
    /// # Errors
    /// When `bootstrap.servers` is not set.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        Ok(Self { cluster: Cluster::start(config)? })
    }

    /// Why the cluster is out of reach, when it is: no connection is open, and this is what became of one of them. They
    /// are opened again by themselves; while the first one is being opened there is nothing to tell.
    #[must_use]
    pub fn unreachable(&self) -> Option<Error> {
        self.cluster.unreachable()
    }

    /// What the cluster answers for a topic that is read or written, when that is an error: it does not exist, or not any
    /// more, or may not be seen. It is asked for again and again, so a topic that comes back is found.
    #[must_use]
    pub fn missing(&self, topic: &str) -> Option<ErrorCode> {
        self.cluster.snapshot().missing(topic)
    }

    pub(crate) const fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}
