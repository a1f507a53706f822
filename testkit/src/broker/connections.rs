//! Which requests of a connection are open, and when the next may run.
//!
//! Kafka reads a connection's next request only when the one before is answered, so answers leave in the order of their
//! requests by construction. [`Cluster`](super::Cluster) pushes frames here and takes the next that may run.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::ConnectionId;
use super::sasl::Session;

#[derive(Debug, Default)]
pub(super) struct Connections {
    open: BTreeMap<ConnectionId, Connection>,
}

struct Connection {
    /// The broker at the other end.
    node_id: i32,
    client_host: Arc<str>,
    session: Session,
    /// A request is being handled, or waits.
    busy: bool,
    frames: VecDeque<Bytes>,
}

/// Frames are counted, not shown: they may hold what a client proves itself with.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("node_id", &self.node_id)
            .field("client_host", &self.client_host)
            .field("session", &self.session)
            .field("busy", &self.busy)
            .field("frames", &self.frames.len())
            .finish()
    }
}

/// The request to run now.
pub(super) struct Next {
    pub(super) node_id: i32,
    pub(super) frame: Bytes,
    pub(super) client_host: Arc<str>,
}

/// A frame is counted, not shown, here as well.
impl fmt::Debug for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Next({} bytes to broker {})", self.frame.len(), self.node_id)
    }
}

impl Connections {
    pub(super) fn open(&mut self, connection: ConnectionId, node_id: i32, client_host: &str, session: Session) {
        let client_host = Arc::from(client_host);
        let frames = VecDeque::new();
        self.open.insert(connection, Connection { node_id, client_host, session, busy: false, frames });
    }

    /// How far the client has shown who it is.
    pub(super) fn session_mut(&mut self, connection: ConnectionId) -> Option<&mut Session> {
        self.open.get_mut(&connection).map(|connection| &mut connection.session)
    }

    /// The connections to this broker.
    pub(super) fn of(&self, node_id: i32) -> Vec<ConnectionId> {
        self.open.iter().filter(|(_, connection)| connection.node_id == node_id).map(|(id, _)| *id).collect()
    }

    /// A frame of a connection that is not open is dropped.
    pub(super) fn push(&mut self, connection: ConnectionId, frame: Bytes) {
        if let Some(connection) = self.open.get_mut(&connection) {
            connection.frames.push_back(frame);
        }
    }

    /// The next frame of this connection, if none before it is open. It counts as open until [`Self::answered`].
    pub(super) fn next(&mut self, connection: ConnectionId) -> Option<Next> {
        let connection = self.open.get_mut(&connection).filter(|connection| !connection.busy)?;
        let frame = connection.frames.pop_front()?;
        connection.busy = true;
        Some(Next { node_id: connection.node_id, frame, client_host: Arc::clone(&connection.client_host) })
    }

    pub(super) fn is_open(&self, connection: ConnectionId) -> bool {
        self.open.contains_key(&connection)
    }

    /// Nothing of this connection runs until [`Self::answered`].
    pub(super) fn hold(&mut self, connection: ConnectionId) {
        if let Some(connection) = self.open.get_mut(&connection) {
            connection.busy = true;
        }
    }

    pub(super) fn answered(&mut self, connection: ConnectionId) {
        if let Some(connection) = self.open.get_mut(&connection) {
            connection.busy = false;
        }
    }

    /// Those with a request that is being handled, or waits.
    pub(super) fn busy(&self) -> impl Iterator<Item = ConnectionId> {
        self.open.iter().filter(|(_, connection)| connection.busy).map(|(id, _)| *id)
    }

    pub(super) fn close(&mut self, connection: ConnectionId) {
        self.open.remove(&connection);
    }
}
