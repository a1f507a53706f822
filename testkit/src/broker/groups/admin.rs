//! What administrators ask: which groups there are, what they are like, and to delete them.

use tidemill_protocol::messages::delete_groups_response::DeletableGroupResult;
use tidemill_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use tidemill_protocol::messages::list_groups_response::ListedGroup;
use tidemill_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    ListGroupsRequest, ListGroupsResponse,
};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::classic::MemberDescription;
use super::{Group, Groups, code, owned};

/// The only type of group there is.
const TYPE: &str = "classic";

/// Since this version a group that is not there is an error.
const SAYS_NO_SUCH_GROUP_SINCE: i16 = 6;

/// Everything that can be done with a group: read, delete, describe, describe and alter its configuration.
const ALL_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;

/// It does not say what may be done.
const OPERATIONS_NOT_SAID: i32 = i32::MIN;

impl Groups {
    /// Filters are compared without case; an empty one lets everything through.
    pub(crate) fn handle_list(&self, request: &ListGroupsRequest) -> ListGroupsResponse {
        let passes = |filter: &[StrBytes], it: &str| {
            filter.is_empty() || filter.iter().any(|wanted| wanted.eq_ignore_ascii_case(it))
        };
        let listed = self.groups.iter().filter(|(_, group)| {
            passes(&request.states_filter, group.classic.state_name()) && passes(&request.types_filter, TYPE)
        });
        let groups = listed.map(|(id, group)| {
            ListedGroup::default()
                .with_group_id(GroupId(owned(id)))
                .with_protocol_type(group.classic.protocol_type())
                .with_group_state(StrBytes::from_static_str(group.classic.state_name()))
                .with_group_type(StrBytes::from_static_str(TYPE))
        });
        ListGroupsResponse::default().with_groups(groups.collect())
    }

    pub(crate) fn handle_describe(&self, request: DescribeGroupsRequest, version: i16) -> DescribeGroupsResponse {
        let groups = request.groups.into_iter().map(|id| {
            let described = match self.groups.get(id.as_str()) {
                Some(group) => describe(group),
                None => dead(&id, version),
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
    pub(crate) fn handle_delete(&mut self, request: DeleteGroupsRequest) -> DeleteGroupsResponse {
        let results = request.groups_names.into_iter().map(|id| {
            let result = self.delete(&id);
            DeletableGroupResult::default().with_group_id(id).with_error_code(code(result))
        });
        DeleteGroupsResponse::default().with_results(results.collect())
    }

    fn delete(&mut self, id: &str) -> Result<(), ErrorCode> {
        let group = self.groups.get(id).ok_or(ErrorCode::GROUP_ID_NOT_FOUND)?;
        group.classic.on_delete()?;
        if let Some(removed) = self.groups.remove(id)
            && let Some(at) = removed.deadline
        {
            self.deadlines.remove(&(at, id.to_owned()));
        }
        Ok(())
    }
}

fn describe(group: &Group) -> DescribedGroup {
    let (protocol, members) = group.classic.describe();
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
        .with_group_state(StrBytes::from_static_str(group.classic.state_name()))
        .with_protocol_type(group.classic.protocol_type())
        .with_protocol_data(protocol)
        .with_members(members.into_iter().map(describe).collect())
}

fn dead(id: &str, version: i16) -> DescribedGroup {
    let described = DescribedGroup::default().with_group_state(StrBytes::from_static_str("Dead"));
    if version < SAYS_NO_SUCH_GROUP_SINCE {
        return described.with_error_message(None);
    }
    described
        .with_error_code(ErrorCode::GROUP_ID_NOT_FOUND.0)
        .with_error_message(Some(StrBytes::from_string(format!("Group {id} not found."))))
}
