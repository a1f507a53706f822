//! The tasks around the cluster's machine: move bytes between it and its connections, and wake it in time.
//!
//! A connection's task reads a frame, hands it to the [`Cluster`], writes the answer, and only then
//! takes the next, as Kafka's network threads do. So a client that never reads its answers is not read from either, and holds
//! one answer at the most. [`cluster`](crate::cluster) starts and stops it.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tidemill_protocol::frame;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

#[cfg(feature = "tls")]
pub(crate) use crate::tls::Acceptor;

use crate::broker::{Action, Cluster, ConnectionId, Reply};
use crate::directory::Directory;

/// What takes connections by TLS: nothing, without the feature `tls`.
#[cfg(not(feature = "tls"))]
#[derive(Debug, Clone)]
pub(crate) enum Acceptor {}

/// Read at least this much at a time.
const READ_BYTES: usize = 16 * 1024;

/// Make room for this much of a large frame at a time: its length is only what the client says.
const ROOM_BYTES_MAX: usize = 1024 * 1024;

/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// The brokers and who is connected to them.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// The machine wants to be asked earlier than it said before.
    woken: Notify,
    /// Why nothing can be kept any more, once that is so.
    failed: watch::Sender<Option<String>>,
}

#[derive(Debug)]
struct State {
    cluster: Cluster,
    /// Where the cluster is kept.
    directory: Option<Directory>,
    connections: BTreeMap<ConnectionId, mpsc::UnboundedSender<Action>>,
    connections_opened: u64,
    wake_at: Option<Instant>,
    /// Kept for its memory.
    replies: Vec<Reply>,
}

/// A connection that came another way than through the listener.
pub(crate) type Incoming = mpsc::UnboundedReceiver<DuplexStream>;

impl Shared {
    /// A cluster, and the directory that it is kept in.
    pub(crate) fn new(cluster: Cluster, directory: Option<Directory>) -> Self {
        let (connections, replies) = (BTreeMap::new(), Vec::new());
        let state = State { cluster, directory, connections, connections_opened: 0, wake_at: None, replies };
        Self { state: Mutex::new(state), woken: Notify::new(), failed: watch::Sender::new(None) }
    }

    /// Whether nothing can be kept any more.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.borrow().is_some()
    }

    /// Waits until nothing can be kept any more, and says why.
    pub(crate) async fn failed(&self) -> String {
        let mut failed = self.failed.subscribe();
        // The sender lives as long as this.
        let reason = failed.wait_for(Option::is_some).await;
        reason.ok().and_then(|reason| reason.clone()).unwrap_or_default()
    }

    /// Changes the machine, then does what it says.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Cluster, Instant) -> T) -> T {
        let now = Instant::now();
        let mut state = self.state();
        let changed = change(&mut state.cluster, now);
        self.poll(&mut state, now);
        changed
    }

    fn poll(&self, state: &mut State, now: Instant) {
        let State { cluster, directory, connections, replies, wake_at, .. } = state;
        let next = cluster.poll(now, replies);
        // Nobody is told of what is not kept.
        if self.has_failed() || !self.save(directory, cluster) {
            replies.clear();
            for sender in connections.values() {
                let _ = sender.send(Action::Close);
            }
        }
        for Reply { connection, action } in replies.drain(..) {
            if let Some(sender) = connections.get(&connection) {
                // Its task may just have ended.
                let _ = sender.send(action);
            }
        }
        let sooner = next.is_some_and(|next| wake_at.is_none_or(|wake_at| next < wake_at));
        *wake_at = next;
        if sooner {
            self.woken.notify_one();
        }
    }

    /// Whether what has changed is kept now. Once it could not be, it never is again.
    fn save(&self, directory: &mut Option<Directory>, cluster: &mut Cluster) -> bool {
        let saved = directory.as_mut().map_or(Ok(()), |directory| directory.save(cluster));
        if let Err(error) = &saved {
            tracing::error!(%error, "the cluster cannot be kept, and stops");
            self.failed.send_replace(Some(error.to_string()));
        }
        saved.is_ok()
    }

    fn connect(
        &self,
        node_id: i32,
        client_host: &str,
        principal: Option<&str>,
    ) -> (ConnectionId, mpsc::UnboundedReceiver<Action>) {
        let mut state = self.state();
        let connection = ConnectionId(state.connections_opened);
        state.connections_opened += 1;
        let (sender, receiver) = mpsc::unbounded_channel();
        state.connections.insert(connection, sender);
        let now = Instant::now();
        state.cluster.handle_connected_as(connection, node_id, client_host, principal, now);
        self.poll(&mut state, now);
        (connection, receiver)
    }

    fn disconnect(&self, connection: ConnectionId) {
        self.state().connections.remove(&connection);
        self.change(|cluster, now| cluster.handle_disconnected(connection, now));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks the machine again when it said, until the other end of `stop` is dropped.
pub(crate) async fn keep_time(shared: Arc<Shared>, mut stop: oneshot::Receiver<Infallible>) {
    loop {
        let wake_at = shared.state().wake_at;
        tokio::select! {
            _ = &mut stop => break,
            () = sleep_some(wake_at) => shared.change(|_, _| ()),
            () = shared.woken.notified() => {}
        }
    }
}

/// Takes connections to one broker until the other end of `stop` is dropped; then closes them all.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    node_id: i32,
    listener: TcpListener,
    tls: Option<Acceptor>,
    mut incoming: Incoming,
    mut stop: oneshot::Receiver<Infallible>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    // A request is small and its answer is waited for.
                    let _ = stream.set_nodelay(true);
                    connections.spawn(accept(Arc::clone(&shared), node_id, stream, host(address), tls.clone()));
                }
                // The client is gone already, or there are too many open files: others may still be served.
                Err(error) => {
                    tracing::debug!(%error, "no connection accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(stream) = incoming.recv() => {
                connections.spawn(run(Arc::clone(&shared), node_id, stream, "/127.0.0.1".to_owned(), None, drop));
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

/// As Kafka writes the address of a client.
fn host(address: SocketAddr) -> String {
    format!("/{}", address.ip())
}

/// Ends a connection with a reset.
fn reset(stream: TcpStream) {
    // Where that cannot be had, it ends all the same.
    let _ = stream.set_zero_linger();
}

/// A connection that came through the listener; by TLS, where there is some.
async fn accept(shared: Arc<Shared>, node_id: i32, stream: TcpStream, client_host: String, tls: Option<Acceptor>) {
    match tls {
        None => run(shared, node_id, stream, client_host, None, reset).await,
        #[cfg(feature = "tls")]
        Some(tls) => match tls.accept(stream).await {
            Ok((stream, principal)) => run(shared, node_id, stream, client_host, principal, drop).await,
            Err(error) => tracing::debug!(client_host, %error, "no TLS"),
        },
        #[cfg(not(feature = "tls"))]
        Some(tls) => match tls {},
    }
}

/// A connection, from its client to its end; a stream that is to be reset is given to `reset`.
async fn run<S: AsyncRead + AsyncWrite + Unpin>(
    shared: Arc<Shared>,
    node_id: i32,
    stream: S,
    client_host: String,
    principal: Option<String>,
    reset: fn(S),
) {
    let (connection, actions) = shared.connect(node_id, &client_host, principal.as_deref());
    // Also when the task is aborted.
    let _disconnect = Disconnect { shared: &shared, connection };
    let (mut reader, mut writer) = tokio::io::split(stream);
    match answer(&shared, connection, &mut reader, &mut writer, actions).await {
        Ok(Ending::Closed) => {
            // The client may have closed it already.
            let _ = writer.shutdown().await;
        }
        Ok(Ending::Reset) => reset(reader.unsplit(writer)),
        Err(error) => tracing::debug!(client_host, %error, "connection lost"),
    }
}

/// How a connection is to end.
enum Ending {
    Closed,
    Reset,
}

struct Disconnect<'a> {
    shared: &'a Shared,
    connection: ConnectionId,
}

impl Drop for Disconnect<'_> {
    fn drop(&mut self) {
        self.shared.disconnect(self.connection);
    }
}

/// One request after the other, until the client or the machine closes the connection.
async fn answer(
    shared: &Shared,
    connection: ConnectionId,
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
    mut actions: mpsc::UnboundedReceiver<Action>,
) -> io::Result<Ending> {
    let mut buffer = BytesMut::new();
    loop {
        let frame = tokio::select! {
            biased;
            // Before anything was asked, there is nothing else that the machine could want than to end it.
            action = actions.recv() => return Ok(ending(action)),
            frame = read_frame(reader, &mut buffer) => frame?,
        };
        let Some(frame) = frame else { return Ok(Ending::Closed) };
        shared.change(|cluster, now| cluster.handle_frame(connection, frame, now));
        loop {
            match next_action(&mut actions, reader, &mut buffer).await? {
                Some(Action::Send(answer)) => {
                    writer.write_all(&answer).await?;
                    break;
                }
                Some(Action::Write(part)) => {
                    writer.write_all(&part).await?;
                    writer.flush().await?;
                }
                Some(Action::Skip) => break,
                action @ (Some(Action::Close | Action::Reset | Action::Refuse) | None) => return Ok(ending(action)),
            }
        }
    }
}

fn ending(action: Option<Action>) -> Ending {
    match action {
        Some(Action::Reset | Action::Refuse) => Ending::Reset,
        Some(Action::Close | Action::Send(_) | Action::Write(_) | Action::Skip) | None => Ending::Closed,
    }
}

/// What to do next; none when the client is gone. Requests may wait for as long as they say, so it is listened for whether
/// anybody still waits for the answer; the little that is read meanwhile is part of the next request.
async fn next_action(
    actions: &mut mpsc::UnboundedReceiver<Action>,
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> io::Result<Option<Action>> {
    loop {
        buffer.reserve(READ_BYTES.saturating_sub(buffer.len()));
        tokio::select! {
            biased;
            action = actions.recv() => return Ok(action),
            read = reader.read_buf(buffer), if buffer.len() < READ_BYTES => if read? == 0 {
                return Ok(None);
            },
        }
    }
}

/// The next frame, without its length; none when the client has closed the connection between two frames.
async fn read_frame(reader: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<Option<Bytes>> {
    let malformed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
    loop {
        if let Some(frame) = frame::take_frame(buffer, frame::FRAME_BYTES_MAX_DEFAULT).map_err(malformed)? {
            return Ok(Some(frame));
        }
        let missing = frame::bytes_missing(buffer, frame::FRAME_BYTES_MAX_DEFAULT).map_err(malformed)?;
        buffer.reserve(missing.clamp(READ_BYTES, ROOM_BYTES_MAX));
        if reader.read_buf(buffer).await? == 0 {
            return if buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

async fn sleep_some(wake_at: Option<Instant>) {
    match wake_at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
