//! The one task of a source: consumer to tasks to producers. It moves what the [`machine`](super::machine) says, and
//! decides nothing.
//!
//! Before: [`Job::start`](super::Job::start) spawns it. After: the results are in their topics, and the group knows.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock for its machine")]

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use tidemill_client::{Client, ConsumedBatch, Consumer, Delivery, Producer, Record, TopicPartition};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use super::board::Board;
use super::config::JobConfig;
use super::listener::{Change, Listener, Told};
use super::machine::{Action, Machine};
use super::source::{Sink, Source};
use super::status::WindowStatus;
use super::{failure, start};
use crate::clock::Clock;
use crate::error::Error;
use crate::task::{ClosedWindow, InputRecord, Task};

/// How long the consumer may take to leave its group, and a producer to let go of what nobody waits for.
const CLOSE_MAX: Duration = Duration::from_secs(1);
/// After how many rows others get a turn.
const ROWS_PER_TURN: usize = 1_000;

/// Everything a source needs to run.
pub(super) struct Driver {
    source: Source,
    board: Arc<Board>,
    consumer: Arc<Consumer>,
    machine: Machine,
    /// For each sink, in the order of the source.
    writers: Vec<Writer>,
    clients: Vec<Client>,
    changes: mpsc::UnboundedReceiver<Told>,
    in_flight: FuturesUnordered<EventFuture>,
    /// Waits for partitions to be let go.
    revoking: Vec<oneshot::Sender<()>>,
    partitions: BTreeSet<i32>,
    topic: Arc<str>,
}

/// Where the rows of one pipeline go.
#[derive(Debug, Clone)]
struct Writer {
    number: usize,
    producer: Arc<Producer>,
    topic: Arc<str>,
}

/// What came of an action.
enum Event {
    Delivered { token: u64, pipeline: usize, outcome: Result<(), tidemill_client::Error> },
    Committed(Result<(), tidemill_client::Error>),
}

type EventFuture = Pin<Box<dyn Future<Output = Event> + Send>>;

/// Runs a source until it has ended, was stopped, or failed.
pub(super) async fn run(
    source: Source,
    zone: jiff::tz::TimeZone,
    clock: Clock,
    config: JobConfig,
    board: Arc<Board>,
) -> Result<(), Error> {
    let started = tokio::select! {
        started = Driver::start(source, &zone, clock, &config, Arc::clone(&board)) => started?,
        () = board.stopped() => return Ok(()),
    };
    started.run().await
}

impl Driver {
    /// Waits for brokers and topics, and joins the group.
    async fn start(
        source: Source,
        zone: &jiff::tz::TimeZone,
        clock: Clock,
        config: &JobConfig,
        board: Arc<Board>,
    ) -> Result<Self, Error> {
        let refused = |error| failure::of_options(&source.table, error);
        let client = Client::new(source.client.clone()).map_err(refused)?;
        let consumer = Consumer::with_client(&client, &source.consumer).map_err(refused)?;
        let mut clients = vec![client];
        let mut writers = Vec::new();
        for sink in &source.sinks {
            let (client, writer) = writer(sink)?;
            clients.push(client);
            writers.push(writer);
        }
        let patience = config.start_timeout;
        let read = start::topic(&clients[0], &source.table, false, patience);
        let sinks = source.sinks.iter().zip(&clients[1..]);
        let written = sinks.map(|(sink, client)| start::topic(client, &sink.pipeline.sink, true, patience));
        let (topic, _) = tokio::try_join!(read, try_join_all(written))?;

        let name: Arc<str> = Arc::from(&*source.table.options.topic);
        let ends = if source.is_bounded() {
            let partitions = (0..topic.partitions).map(|number| TopicPartition::new(Arc::clone(&name), number));
            let ends = consumer.end_offsets(partitions).await;
            let ends = ends.map_err(|error| failure::of_reading(&source.table, &source.group_id, error))?;
            Some(ends.into_iter().map(|(partition, end)| (partition.partition, end)).collect::<BTreeMap<_, _>>())
        } else {
            None
        };
        let tasks = source.sinks.iter().map(|sink| Task::new(&sink.pipeline, zone));
        let machine = Machine::new(tasks, ends, clock, config.commit_interval, now());
        let (listener, changes) = Listener::new();
        let subscribed = consumer.subscribe_with([Arc::clone(&name)], Arc::new(listener));
        subscribed.map_err(|error| failure::of_reading(&source.table, &source.group_id, error))?;
        Ok(Self {
            source,
            board,
            consumer: Arc::new(consumer),
            machine,
            writers,
            clients,
            changes,
            in_flight: FuturesUnordered::new(),
            revoking: Vec::new(),
            partitions: BTreeSet::new(),
            topic: name,
        })
    }

    async fn run(mut self) -> Result<(), Error> {
        let outcome = self.drive().await;
        // Whoever waits for partitions to be let go need not wait any longer.
        self.changes.close();
        self.revoking.clear();
        while self.changes.try_recv().is_ok() {}
        if let Err(error) = self.consumer.close(CLOSE_MAX).await {
            debug!(%error, "the consumer was not closed in time");
        }
        self.show();
        outcome
    }

    async fn drive(&mut self) -> Result<(), Error> {
        let mut actions = Vec::new();
        let board = Arc::clone(&self.board);
        let stopped = board.stopped();
        tokio::pin!(stopped);
        let mut is_stopping = false;
        loop {
            let wake_at = self.machine.poll(now(), &mut actions);
            for action in actions.drain(..) {
                match action {
                    Action::Send { token, pipeline, window } => self.send(token, pipeline, window),
                    Action::Commit(offsets) => self.commit(offsets),
                    Action::Seek { partition, offset } => self.seek(partition, offset)?,
                    Action::Release => self.revoking.clear(),
                    Action::End => return Ok(()),
                }
            }
            self.show();
            tokio::select! {
                batch = self.consumer.recv_batch(), if self.machine.wants_records() => self.received(batch)?,
                Some(event) = self.in_flight.next(), if !self.in_flight.is_empty() => self.happened(event)?,
                Some(told) = self.changes.recv() => self.changed(told, &mut actions),
                () = sleep_until(wake_at) => self.look_at_positions(),
                () = &mut stopped, if !is_stopping => {
                    is_stopping = true;
                    self.machine.handle_stop(now());
                }
            }
        }
    }

    fn received(&mut self, batch: Result<ConsumedBatch, tidemill_client::Error>) -> Result<(), Error> {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) if error.is_retriable() => {
                warn!(%error, "reading goes on");
                return Ok(());
            }
            Err(error) => return Err(failure::of_reading(&self.source.table, &self.source.group_id, error)),
        };
        let partition = batch.topic_partition().partition;
        let records = || batch.iter().map(|record| InputRecord { offset: record.offset(), value: record.value() });
        self.machine
            .handle_records(partition, records, batch.next_offset(), batch.high_watermark(), now())
            .map_err(|error| failure::of_record(&self.source.table, partition, error))
    }

    fn happened(&mut self, event: Event) -> Result<(), Error> {
        match event {
            Event::Delivered { token, outcome: Ok(()), .. } => {
                if let Some((pipeline, window)) = self.machine.handle_delivered(token) {
                    self.board.window_closed(window_status(self.writers[pipeline].number, &window));
                }
            }
            Event::Delivered { token, outcome: Err(error), .. } if error.is_retriable() => {
                warn!(%error, "a window is written again");
                self.machine.handle_undelivered(token, now());
            }
            Event::Delivered { pipeline, outcome: Err(error), .. } => {
                return Err(failure::of_writing(&self.source.sinks[pipeline].pipeline.sink, error));
            }
            Event::Committed(Ok(())) => self.machine.handle_committed(true),
            Event::Committed(Err(error)) if error.is_retriable() || failure::is_of_membership(&error) => {
                warn!(%error, "offsets are committed again later");
                self.machine.handle_committed(false);
            }
            Event::Committed(Err(error)) => {
                return Err(failure::of_committing(&self.source.table, &self.source.group_id, error));
            }
        }
        Ok(())
    }

    fn changed(&mut self, (change, done): Told, actions: &mut Vec<Action>) {
        debug!(?change, "partitions change");
        match change {
            Change::Assigned(assigned) => {
                self.machine.handle_assigned(&assigned, now(), actions);
                self.partitions = assigned;
                self.revoking.clear();
            }
            Change::Revoked(revoked) => {
                self.partitions.retain(|partition| !revoked.contains(partition));
                self.machine.handle_revoked(revoked);
                self.revoking.push(done);
            }
            Change::Lost(lost) => {
                self.partitions.retain(|partition| !lost.contains(partition));
                self.machine.handle_lost(&lost, actions);
                self.revoking.clear();
            }
        }
    }

    fn look_at_positions(&mut self) {
        for number in &self.partitions {
            let partition = TopicPartition::new(Arc::clone(&self.topic), *number);
            let (position, end) = (self.consumer.position(&partition), self.consumer.high_watermark(&partition));
            self.machine.handle_position(*number, position, end);
        }
    }

    fn send(&self, token: u64, pipeline: usize, window: Arc<ClosedWindow>) {
        let writer = self.writers[pipeline].clone();
        self.in_flight.push(Box::pin(async move {
            let outcome = writer.write(&window).await;
            Event::Delivered { token, pipeline, outcome }
        }));
    }

    fn commit(&self, offsets: Vec<(i32, i64)>) {
        let (consumer, topic) = (Arc::clone(&self.consumer), Arc::clone(&self.topic));
        self.in_flight.push(Box::pin(async move {
            let partition = |(number, offset)| (TopicPartition::new(Arc::clone(&topic), number), offset);
            Event::Committed(consumer.commit_offsets(offsets.into_iter().map(partition)).await)
        }));
    }

    fn seek(&self, partition: i32, offset: i64) -> Result<(), Error> {
        let partition = TopicPartition::new(Arc::clone(&self.topic), partition);
        let sought = self.consumer.seek(&partition, offset);
        sought.map_err(|error| failure::of_reading(&self.source.table, &self.source.group_id, error))
    }

    fn show(&self) {
        let trouble = self.clients.iter().find_map(Client::unreachable);
        for (pipeline, writer) in self.writers.iter().enumerate() {
            self.board.show(writer.number, |status| {
                self.machine.show(pipeline, now(), status);
                status.trouble = trouble.as_ref().map(ToString::to_string);
            });
        }
    }
}

impl Writer {
    /// Writes the rows of a window, and waits until they are acknowledged.
    async fn write(&self, window: &ClosedWindow) -> Result<(), tidemill_client::Error> {
        // All records of a batch have one outcome, so one delivery is kept for each batch.
        let mut deliveries: Vec<Delivery> = Vec::new();
        for (row, value) in window.values.iter().enumerate() {
            let delivery = self.producer.send(Record::new(&self.topic).value(value)).await?;
            if deliveries.last().is_none_or(|last| !last.is_in_batch_of(&delivery)) {
                deliveries.push(delivery);
            }
            if row % ROWS_PER_TURN == ROWS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        for delivery in deliveries {
            delivery.await?;
        }
        Ok(())
    }
}

fn writer(sink: &Sink) -> Result<(Client, Writer), Error> {
    let table = &sink.pipeline.sink;
    let refused = |error| failure::of_options(table, error);
    let client = Client::new(sink.client.clone()).map_err(refused)?;
    let producer = Producer::with_client(&client, sink.producer.clone()).map_err(refused)?;
    let topic = Arc::from(&*table.options.topic);
    Ok((client, Writer { number: sink.number, producer: Arc::new(producer), topic }))
}

fn window_status(pipeline: usize, window: &ClosedWindow) -> WindowStatus {
    WindowStatus {
        pipeline,
        start: window.start.clone(),
        end: window.end.clone(),
        start_ms: window.start_ms,
        end_ms: window.end_ms,
        rows: window.rows,
        inputs: window.inputs.clone(),
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn sleep_until(wake_at: Option<Instant>) {
    match wake_at {
        Some(wake_at) => tokio::time::sleep_until(wake_at.into()).await,
        None => std::future::pending().await,
    }
}
