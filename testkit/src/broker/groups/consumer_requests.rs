//! Requests of the consumer protocol (KIP-848), to the group that they are for.
//!
//! Before: the handlers. After: [`ConsumerGroup`].

use tidemill_protocol::messages::consumer_group_describe_response::DescribedGroup;
use tidemill_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse,
};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::admin::{ALL_OPERATIONS, OPERATIONS_NOT_SAID};
use super::consumer::{ConsumerGroup, Heartbeat};
use super::migration::upgraded;
use super::{Around, Groups, Protocol, Refusal, owned};
use crate::broker::Caller;

impl Groups {
    pub(crate) fn handle_consumer_heartbeat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        version: i16,
        caller: &Caller<'_>,
        around: &Around<'_>,
    ) -> ConsumerGroupHeartbeatResponse {
        self.consumer_heartbeat(request, version, caller, around).unwrap_or_else(|refusal| {
            ConsumerGroupHeartbeatResponse::default()
                .with_error_code(refusal.code.0)
                .with_error_message(Some(refusal.message).filter(|it| !it.is_empty()).map(StrBytes::from_string))
        })
    }

    fn consumer_heartbeat(
        &mut self,
        request: &ConsumerGroupHeartbeatRequest,
        version: i16,
        caller: &Caller<'_>,
        around: &Around<'_>,
    ) -> Result<ConsumerGroupHeartbeatResponse, Refusal> {
        let properties = around.properties.of(&request.group_id);
        let member_id = if request.member_id.is_empty() { None } else { Some(owned(&request.member_id)) };
        let beat = Heartbeat {
            request,
            version,
            member_id: member_id.unwrap_or_else(|| id_as_kafka_writes(self.new_id())),
            client_id: caller.client_id,
            client_host: caller.client_host,
            topics: around.topics,
            properties: &properties,
            now: around.now,
        };
        beat.check()?;
        let group_id = request.group_id.as_str();
        around.coordinates(group_id).map_err(|code| Refusal::new(code, ""))?;
        if let Some(mut new) = self.new_consumer_group(&beat, around)? {
            // It takes the place of what was there only if its first member is taken.
            let response = new.on_heartbeat(&beat)?;
            self.group_or_new(group_id, around).unwritten = false;
            self.change(group_id, around, |group, out| {
                if let Protocol::Classic(classic) = &mut group.protocol {
                    classic.refuse_all(ErrorCode::REBALANCE_IN_PROGRESS, out);
                }
                group.protocol = Protocol::Consumer(new);
            });
            return Ok(response);
        }
        let response = self.change(group_id, around, |group, _| match &mut group.protocol {
            Protocol::Consumer(consumer) if beat.leaves() => consumer.on_leave_heartbeat(&beat),
            Protocol::Consumer(consumer) => consumer.on_heartbeat(&beat),
            Protocol::Classic(_) => Err(is_not_a_consumer_group(group_id)),
        });
        if beat.leaves() {
            self.downgrade(group_id, around);
        }
        response.unwrap_or_else(|| Err(not_found(group_id)))
    }

    /// The group that this heartbeat makes, if it does: there was none, or a classic one.
    fn new_consumer_group(&self, beat: &Heartbeat<'_>, around: &Around<'_>) -> Result<Option<ConsumerGroup>, Refusal> {
        let group_id = beat.request.group_id.as_str();
        match self.groups.get(group_id).map(|group| &group.protocol) {
            None if beat.joins() => Ok(Some(ConsumerGroup::new())),
            None if beat.leaves() => {
                Err(Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("Group {group_id} not found.")))
            }
            None => Err(not_found(group_id)),
            Some(Protocol::Classic(classic)) if beat.joins() && classic.is_empty() => Ok(Some(ConsumerGroup::new())),
            Some(Protocol::Classic(classic)) if beat.joins() => upgraded(classic, group_id, around).map(Some),
            Some(Protocol::Classic(_)) => Err(is_not_a_consumer_group(group_id)),
            Some(Protocol::Consumer(_)) => Ok(None),
        }
    }

    pub(crate) fn handle_consumer_describe(
        &self,
        request: ConsumerGroupDescribeRequest,
        around: &Around<'_>,
    ) -> ConsumerGroupDescribeResponse {
        let groups = request.group_ids.into_iter().map(|id| {
            let refuse = |code: ErrorCode, message: Option<String>| {
                DescribedGroup::default()
                    .with_error_code(code.0)
                    .with_error_message(message.map(StrBytes::from_string))
                    .with_authorized_operations(OPERATIONS_NOT_SAID)
            };
            let described = if id.is_empty() {
                refuse(ErrorCode::INVALID_GROUP_ID, None)
            } else if let Err(code) = around.coordinates(&id) {
                refuse(code, None)
            } else {
                match self.written(id.as_str()) {
                    Some(Protocol::Consumer(consumer)) => {
                        let asks = request.include_authorized_operations;
                        let operations = if asks { ALL_OPERATIONS } else { OPERATIONS_NOT_SAID };
                        consumer.describe(around.topics).with_authorized_operations(operations)
                    }
                    Some(Protocol::Classic(_)) => {
                        let message = format!("Group {} is not a consumer group.", id.as_str());
                        refuse(ErrorCode::GROUP_ID_NOT_FOUND, Some(message))
                    }
                    None => {
                        let message = format!("Group {} not found.", id.as_str());
                        refuse(ErrorCode::GROUP_ID_NOT_FOUND, Some(message))
                    }
                }
            };
            described.with_group_id(id)
        });
        ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
    }
}

fn not_found(group_id: &str) -> Refusal {
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("Consumer group {group_id} not found."))
}

fn is_not_a_consumer_group(group_id: &str) -> Refusal {
    Refusal::new(ErrorCode::GROUP_ID_NOT_FOUND, format!("Group {group_id} is not a consumer group."))
}

/// Kafka writes its own ids in base 64 without `-` in front; a member's id needs only to be new.
fn id_as_kafka_writes(id: uuid::Uuid) -> StrBytes {
    StrBytes::from_string(id.to_string())
}
