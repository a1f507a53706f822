//! The one task of a consumer: brings the machine what happens, and does what it says. It decides nothing.
//!
//! Before: [`Consumer::new`](super::Consumer::new) spawns it. After: requests go to the
//! [`cluster`](crate::cluster), each as a future in one set; answers come back here.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock for its machine")]

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::fetch::FetchResponse;
use tidemill_protocol::messages::{
    ConsumerGroupHeartbeatRequest, HeartbeatRequest, JoinGroupRequest, LeaveGroupRequest, ListOffsetsRequest,
    OffsetCommitRequest, OffsetFetchRequest, SyncGroupRequest,
};
use tidemill_protocol::{ApiKey, ErrorCode, Request, StrBytes, header};
use tracing::{error, warn};

use super::config::{IsolationLevel, ResetHandler, Settings};
use super::machine::{Action, Machine};
use super::membership::{Failure, Joined, consumer};
use super::rebalance::Change;
use super::requests::{self, Group, fetch, versions};
use super::shared::Shared;
use super::{commits, committed, fetcher, listener, offset_lookup};
use crate::clock::{now, sleep_until};
use crate::cluster::{Cluster, CoordinatorKind, Purpose, Target};
use crate::error::Error;
use crate::record::TopicPartition;

/// What the driver needs to know to say things on the wire.
#[derive(Debug, Clone)]
pub(super) struct Driver {
    shared: Arc<Shared>,
    cluster: Cluster,
    /// None without a `group.id`: then nothing is asked of a coordinator.
    group: Option<Group>,
    request_timeout: Duration,
    heartbeat_timeout: Duration,
    max_poll_interval: Duration,
    allow_auto_create_topics: bool,
    isolation_level: IsolationLevel,
    on_reset: ResetHandler,
}

/// What came back.
enum Event {
    Fetched { plan: (i32, u64), reply: Result<fetcher::Reply, Error> },
    OffsetsListed { token: u64, reply: Result<Vec<offset_lookup::Answer>, Error> },
    CommittedFetched { token: u64, reply: Result<committed::Answer, Error> },
    Committed { token: u64, reply: Result<commits::Answer, Error> },
    Joined { attempt: u64, reply: Result<Joined, (Failure, String)> },
    Synced { attempt: u64, reply: Result<Bytes, Failure> },
    Beaten { attempt: u64, reply: Result<(), Failure> },
    Left { attempt: u64 },
    GroupBeaten { attempt: u64, reply: Result<consumer::Beaten, Failure> },
    Told,
}

type EventFuture = Pin<Box<dyn Future<Output = Event> + Send>>;

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, cluster: Cluster, group: Option<Group>, settings: &Settings) -> Self {
        Self {
            shared,
            cluster,
            group,
            request_timeout: settings.request_timeout,
            // Three tries in the time after which the coordinator would give us up.
            heartbeat_timeout: settings.request_timeout.min(settings.session_timeout / 3),
            max_poll_interval: settings.max_poll_interval,
            allow_auto_create_topics: settings.allow_auto_create_topics,
            isolation_level: settings.fetch.isolation_level,
            on_reset: settings.on_reset.clone(),
        }
    }

    /// Runs until the machine is closed.
    pub(super) async fn run(self) {
        let mut in_flight: FuturesUnordered<EventFuture> = FuturesUnordered::new();
        let mut actions = Vec::new();
        let mut seen_version = 0;
        let mut refusals = self.cluster.refusals();
        loop {
            let (wake_at, ready, closed) = {
                let mut machine = self.shared.machine();
                let wake_at = machine.poll(now(), &mut actions);
                (wake_at, machine.take_ready(), machine.is_closed())
            };
            if ready {
                self.shared.wake_receiver();
            }
            if closed {
                return;
            }
            for action in actions.drain(..) {
                in_flight.extend(self.act(action));
            }
            tokio::select! {
                Some(event) = in_flight.next(), if !in_flight.is_empty() => {
                    handle(&mut self.shared.machine(), event, now());
                }
                () = self.cluster.changed(seen_version) => {
                    let metadata = self.cluster.snapshot();
                    seen_version = metadata.version();
                    self.shared.machine().handle_metadata(metadata, now());
                }
                refused = self.cluster.refused(&mut refusals) => {
                    self.shared.machine().handle_refused(refused);
                }
                () = sleep_until(wake_at) => {} // the next poll sees the time
                () = self.shared.driver_woken() => {} // a call or a receiver changed the machine
            }
        }
    }

    /// Does what can be done at once, and begins what takes time.
    fn act(&self, action: Action) -> Option<EventFuture> {
        let driver = self.clone();
        Some(match action {
            Action::CoordinatorMoved => {
                if let Some(group) = &self.group {
                    self.cluster.coordinator_moved(CoordinatorKind::Group, &group.id);
                }
                return None;
            }
            Action::RefreshMetadata => {
                self.cluster.refresh();
                return None;
            }
            Action::TellReset(reset) => {
                self.on_reset.call(&reset);
                return None;
            }
            Action::TrackTopics(topics) => {
                self.cluster.track_topics(topics.iter().map(|topic| &**topic), self.allow_auto_create_topics);
                return None;
            }
            Action::NameTopics(ids) => {
                self.cluster.name_topics(ids);
                return None;
            }
            Action::Fetch(plan) => Box::pin(driver.fetch(plan)),
            Action::ListOffsets(plan) => Box::pin(driver.list_offsets(plan)),
            Action::FetchCommitted(plan) => Box::pin(async move {
                let reply = driver
                    .ask_group(versions::OFFSET_FETCH, driver.request_timeout, |group, version| {
                        group.committed_request(&plan, version)
                    })
                    .await
                    .map(|response: <OffsetFetchRequest as Request>::Response| requests::committed(response));
                Event::CommittedFetched { token: plan.token, reply }
            }),
            Action::Commit(plan) => Box::pin(async move {
                let reply = driver
                    .ask_group(
                        versions::OFFSET_COMMIT,
                        driver.request_timeout,
                        |group, version| -> OffsetCommitRequest { group.commit_request(&plan, version) },
                    )
                    .await
                    .map(requests::commit_answered);
                Event::Committed { token: plan.token, reply }
            }),
            Action::Join(join) => Box::pin(async move {
                // The coordinator answers when all members have joined, which takes a rebalance.
                let timeout = driver.max_poll_interval + Duration::from_secs(5);
                let reply = driver
                    .ask_group(versions::JOIN_GROUP, timeout, |group, version| -> JoinGroupRequest {
                        group.join_request(&join, version)
                    })
                    .await;
                let reply = match reply {
                    Ok(response) => requests::joined(response),
                    Err(error) => Err((error.into(), String::new())),
                };
                Event::Joined { attempt: join.attempt, reply }
            }),
            Action::Sync(sync) => Box::pin(async move {
                let timeout = driver.max_poll_interval + Duration::from_secs(5);
                let reply = driver
                    .ask_group(versions::SYNC_GROUP, timeout, |group, version| -> SyncGroupRequest {
                        group.sync_request(&sync, version)
                    })
                    .await
                    .map_err(Failure::from)
                    .and_then(requests::synced);
                Event::Synced { attempt: sync.attempt, reply }
            }),
            Action::Heartbeat { attempt, identity } => Box::pin(async move {
                let reply = driver
                    .ask_group(versions::HEARTBEAT, driver.heartbeat_timeout, |group, version| -> HeartbeatRequest {
                        group.heartbeat_request(&identity, version)
                    })
                    .await
                    .map_err(Failure::from)
                    .and_then(|response| requests::beaten(&response));
                Event::Beaten { attempt, reply }
            }),
            Action::GroupHeartbeat(heartbeat) => Box::pin(async move {
                let by_pattern = heartbeat.wish.as_ref().is_some_and(|wish| wish.pattern.is_some());
                let versions = if by_pattern {
                    versions::CONSUMER_GROUP_HEARTBEAT_BY_PATTERN
                } else {
                    versions::CONSUMER_GROUP_HEARTBEAT
                };
                let reply = driver
                    .ask_group(versions, driver.heartbeat_timeout, |group, _| -> ConsumerGroupHeartbeatRequest {
                        group.group_heartbeat_request(&heartbeat)
                    })
                    .await
                    .map_err(Failure::from)
                    .and_then(requests::group_beaten);
                Event::GroupBeaten { attempt: heartbeat.attempt, reply }
            }),
            Action::Leave { attempt, member_id } => Box::pin(async move {
                let reply = driver
                    .ask_group(versions::LEAVE_GROUP, driver.request_timeout, |group, version| -> LeaveGroupRequest {
                        group.leave_request(&member_id, version)
                    })
                    .await;
                if let Err(error) = reply {
                    warn!(%error, "the group was left without its coordinator hearing of it");
                }
                Event::Left { attempt }
            }),
            Action::Tell { change, partitions } => Box::pin(driver.tell(change, partitions)),
        })
    }

    async fn fetch(self, plan: Arc<fetcher::Plan>) -> Event {
        let reply = self.ask_for_records(&plan).await;
        Event::Fetched { plan: (plan.broker, plan.token), reply }
    }

    async fn ask_for_records(&self, plan: &fetcher::Plan) -> Result<fetcher::Reply, Error> {
        let timeout = self.request_timeout + plan.wait_max;
        let purpose = if plan.express { Purpose::General } else { Purpose::Fetch };
        let connection = self.cluster.connection_to_broker(plan.broker, purpose)?;
        let write = |version, correlation_id, client_id: &StrBytes| {
            let request = fetch::request(plan, version);
            header::encode_request(&request, version, correlation_id, Some(client_id)).map(|frame| vec![frame])
        };
        let versions = fetch::versions_of(plan);
        let (version, frame) = connection.exchange(ApiKey::FETCH, versions, timeout, write).await?;
        let response = connection.read(frame, |frame| FetchResponse::read(version, &frame))?;
        Ok(fetch::reply(plan, version, &response))
    }

    async fn list_offsets(self, plan: offset_lookup::Plan) -> Event {
        let (target, timeout) = (Target::Broker(plan.broker), self.request_timeout);
        let build = |version| -> ListOffsetsRequest {
            requests::list_offsets_request(&plan, self.isolation_level, timeout, version)
        };
        let reply = self.cluster.request(target, Purpose::General, versions::LIST_OFFSETS, timeout, build).await;
        let reply = reply.map(requests::offsets_listed);
        Event::OffsetsListed { token: plan.token, reply }
    }

    /// Asks the group's coordinator.
    async fn ask_group<R: Request>(
        &self,
        versions: VersionRange,
        timeout: Duration,
        build: impl FnOnce(&Group, i16) -> R + Send,
    ) -> Result<R::Response, Error> {
        let Some(group) = &self.group else {
            return Err(Error::broker("asking a group's coordinator", ErrorCode::INVALID_GROUP_ID));
        };
        let target = Target::Coordinator(CoordinatorKind::Group, group.id.to_string());
        let build = |version| build(group, version);
        self.cluster.request(target, Purpose::Coordination, versions, timeout, build).await
    }

    async fn tell(self, change: Change, partitions: BTreeSet<TopicPartition>) -> Event {
        if let Some(listener) = self.shared.listener() {
            let told =
                AssertUnwindSafe(listener::tell(self.shared.clone(), listener, change, partitions)).catch_unwind();
            match tokio::time::timeout(self.max_poll_interval, told).await {
                Ok(Ok(())) => {}
                // Its state is the application's, which hears of the panic by its own hook.
                Ok(Err(_)) => error!(?change, "the rebalance listener panicked; the group goes on without it"),
                Err(_) => warn!(?change, "the rebalance listener took too long; the group goes on without it"),
            }
        }
        Event::Told
    }
}

fn handle(machine: &mut Machine, event: Event, now: Instant) {
    match event {
        Event::Fetched { plan, reply } => machine.handle_fetch_reply(plan, reply, now),
        Event::OffsetsListed { token, reply } => machine.handle_list_offsets_reply(token, reply, now),
        Event::CommittedFetched { token, reply } => machine.handle_committed_reply(token, reply, now),
        Event::Committed { token, reply } => machine.handle_commit_reply(token, reply, now),
        Event::Joined { attempt, reply } => machine.handle_join_reply(attempt, reply, now),
        Event::Synced { attempt, reply } => machine.handle_sync_reply(attempt, reply, now),
        Event::Beaten { attempt, reply } => machine.handle_heartbeat_reply(attempt, reply, now),
        Event::GroupBeaten { attempt, reply } => machine.handle_group_heartbeat_reply(attempt, reply, now),
        Event::Left { attempt } => machine.handle_left(attempt, now),
        Event::Told => machine.handle_told(now),
    }
}
