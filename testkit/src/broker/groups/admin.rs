//! What administrators ask: which groups there are, what they are like, and to delete them.

use std::collections::BTreeSet;

use tidemill_protocol::messages::delete_groups_response::DeletableGroupResult;
use tidemill_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use tidemill_protocol::messages::list_groups_response::ListedGroup;
use tidemill_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    ListGroupsRequest, ListGroupsResponse,
};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::classic::ClassicGroup;
use super::classic::{CONSUMER, MemberDescription};
use super::{Around, Groups, Protocol, code, owned};

/// Since this version a group that is not there is an error.
const SAYS_NO_SUCH_GROUP_SINCE: i16 = 6;

/// Everything that can be done with a group: read, delete, describe, describe and alter its configuration.
pub(super) const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// It does not say what may be done.
pub(super) const OPERATIONS_NOT_SAID: i32 = i32::MIN;

impl Groups {
    /// Every broker lists the groups that it coordinates. Filters are compared without case; an empty one lets everything
    /// through.
    pub(crate) fn handle_list(&self, request: &ListGroupsRequest, around: &Around<'_>) -> ListGroupsResponse {
        let passes = |filter: &[StrBytes], it: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(it))
        };
        let listed = self.groups.iter().filter(|(id, group)| {
            around.coordinates(id).is_ok()
                && !group.unwritten
                && passes(&request.states_filter, group.protocol.state_name())
                && passes(&request.types_filter, group.protocol.type_name())
        });
        let groups = listed.map(|(id, group)| {
            ListedGroup::default()
                .with_group_id(GroupId(owned(id)))
                .with_protocol_type(group.protocol.protocol_type())
                .with_group_state(StrBytes::from_static_str(group.protocol.state_name()))
                .with_group_type(StrBytes::from_static_str(group.protocol.type_name()))
        });
        ListGroupsResponse::default().with_groups(groups.collect())
    }

    pub(crate) fn handle_describe(
        &self,
        request: DescribeGroupsRequest,
        version: i16,
        around: &Around<'_>,
    ) -> DescribeGroupsResponse {
        let groups = request.groups.into_iter().map(|id| {
            let described = match (around.coordinates(&id), self.written(id.as_str())) {
                (Err(code), _) => DescribedGroup::default().with_error_code(code.0).with_error_message(None),
                (Ok(()), Some(Protocol::Classic(classic))) => describe(classic),
                (Ok(()), Some(Protocol::Consumer(_))) => {
                    dead(format!("Group {} is not a classic group.", id.as_str()), version)
                }
                (Ok(()), None) => dead(format!("Group {} not found.", id.as_str()), version),
            };
            // Of what is not there, nothing may be done.
            let operations = if request.include_authorized_operations && described.error_code == 0 {
                ALL_OPERATIONS
            } else {
                OPERATIONS_NOT_SAID
            };
            described.with_group_id(id).with_authorized_operations(operations)
        });
        DescribeGroupsResponse::default().with_groups(groups.collect())
    }

    /// A group with members stays.
    pub(crate) fn handle_delete(&mut self, request: DeleteGroupsRequest, around: &Around<'_>) -> DeleteGroupsResponse {
        // A group that stands there several times is answered once.
        let mut seen = BTreeSet::new();
        let once = request.groups_names.into_iter().filter(|id| seen.insert(id.clone()));
        let results = once.map(|id| {
            let result = around.coordinates(&id).and_then(|()| self.delete(&id));
            DeletableGroupResult::default().with_group_id(id).with_error_code(code(result))
        });
        DeleteGroupsResponse::default().with_results(results.collect())
    }

    fn delete(&mut self, id: &str) -> Result<(), ErrorCode> {
        let group = self.groups.get(id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        if !group.protocol.is_empty() {
            return Err(ErrorCode::NON_EMPTY_GROUP);
        }
        self.remove_group(id);
        Ok(())
    }
}

impl Protocol {
    const fn type_name(&self) -> &'static str {
        match self {
            Self::Classic(_) => "classic",
            Self::Consumer(_) => "consumer",
        }
    }

    fn protocol_type(&self) -> StrBytes {
        match self {
            Self::Classic(classic) => classic.protocol_type(),
            Self::Consumer(_) => StrBytes::from_static_str(CONSUMER),
        }
    }
}

fn describe(group: &ClassicGroup) -> DescribedGroup {
    let (protocol, members) = group.describe();
    let describe = |member: MemberDescription| {
        DescribedGroupMember::default()
            .with_member_id(member.member_id)
            .with_group_instance_id(member.instance_id)
            .with_client_id(member.client_id)
            .with_client_host(member.client_host)
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    };
    DescribedGroup::default()
        .with_error_message(None)
        .with_group_state(StrBytes::from_static_str(group.state_name()))
        .with_protocol_type(group.protocol_type())
        .with_protocol_data(protocol)
        .with_members(members.into_iter().map(describe).collect())
}

fn dead(message: String, version: i16) -> DescribedGroup {
    let described = DescribedGroup::default().with_group_state(StrBytes::from_static_str("Dead"));
    if version < SAYS_NO_SUCH_GROUP_SINCE {
        return described.with_error_message(None);
    }
    described.with_error_code(ErrorCode::GROUP_ID_NOT_FOUND.0).with_error_message(Some(StrBytes::from_string(message)))
}
