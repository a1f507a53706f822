//! Quotas, users, rules and tokens.

use bytes::Bytes;
use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use tidemill_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use tidemill_protocol::messages::create_acls_request::AclCreation;
use tidemill_protocol::messages::create_delegation_token_request::CreatableRenewers;
use tidemill_protocol::messages::delete_acls_request::DeleteAclsFilter;
use tidemill_protocol::messages::describe_client_quotas_request::ComponentData;
use tidemill_protocol::messages::describe_delegation_token_request::DescribeDelegationTokenOwner;
use tidemill_protocol::messages::describe_user_scram_credentials_request::UserName;
use tidemill_protocol::messages::*;

use crate::differential::answer::Keep;
use crate::differential::draw::Draw;
use crate::differential::side::Side;

const USERS: u8 = 3;

fn text(text: &'static str) -> StrBytes {
    StrBytes::from_static_str(text)
}

pub(crate) fn alter_quotas(side: &mut Side, draw: &mut Draw) {
    let entity = |draw: &mut Draw| {
        let kind =
            if draw.chance(92) { *draw.pick(&["user", "client-id"]) } else { *draw.pick(&["ip", "", "nonsense"]) };
        // The default of all is everybody's, so it is left alone.
        EntityData::default().with_entity_type(text(kind)).with_entity_name(Some(draw.own_or_odd(side, "user", USERS)))
    };
    let change = |draw: &mut Draw| {
        let keys = ["producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"];
        let key =
            if draw.chance(92) { *draw.pick(&keys) } else { *draw.pick(&["connection_creation_rate", "nonsense", ""]) };
        let value = if draw.chance(88) {
            *draw.pick(&[1e9, 5e9, 100.0])
        } else {
            *draw.pick(&[0.0, -1.0, 1.5, f64::NAN, 1e300])
        };
        OpData::default().with_key(text(key)).with_value(value).with_remove(draw.chance(25))
    };
    let entries = draw.some(|draw| EntryData::default().with_entity(draw.some(entity)).with_ops(draw.some(change)));
    let request = AlterClientQuotasRequest::default().with_entries(entries).with_validate_only(draw.chance(12));
    side.ask(draw, &request);
    let all = ComponentData::default().with_entity_type(text("user")).with_match_type(2);
    side.ask_in(1, &DescribeClientQuotasRequest::default().with_components(vec![all]), Keep::Own);
}

pub(crate) fn describe_quotas(side: &mut Side, draw: &mut Draw) {
    let components = draw.some(|draw| {
        let kind =
            if draw.chance(92) { *draw.pick(&["user", "client-id"]) } else { *draw.pick(&["ip", "", "nonsense"]) };
        let match_type = if draw.chance(96) { *draw.pick(&[0, 0, 1, 2]) } else { *draw.pick(&[3, -1]) };
        let name = draw.own_or_odd(side, "user", USERS);
        let name = (match_type == 0 || draw.chance(5)).then_some(name);
        ComponentData::default().with_entity_type(text(kind)).with_match_type(match_type).with_match(name)
    });
    let request = DescribeClientQuotasRequest::default().with_components(components).with_strict(draw.chance(40));
    side.ask_own(draw, &request);
}

pub(crate) fn alter_users(side: &mut Side, draw: &mut Draw) {
    let mechanism =
        |draw: &mut Draw| if draw.chance(94) { 1 + i8::from(draw.chance(50)) } else { *draw.pick(&[0, 3, -1]) };
    let mut deletions = Vec::new();
    if draw.chance(40) {
        deletions = draw.some(|draw| {
            let name = draw.own_or_odd(side, "user", USERS);
            ScramCredentialDeletion::default().with_name(name).with_mechanism(mechanism(draw))
        });
    }
    let mut upsertions = Vec::new();
    if draw.chance(75) {
        upsertions = draw.some(|draw| {
            let iterations =
                if draw.chance(90) { *draw.pick(&[4096, 8192, 16384]) } else { *draw.pick(&[0, -1, 4095, 16385]) };
            let name = draw.own_or_odd(side, "user", USERS);
            ScramCredentialUpsertion::default()
                .with_name(name)
                .with_mechanism(mechanism(draw))
                .with_iterations(iterations)
                .with_salt(if draw.chance(95) { Bytes::from_static(b"salt") } else { Bytes::new() })
                .with_salted_password(if draw.chance(95) { Bytes::from_static(&[7; 32]) } else { Bytes::new() })
        });
    }
    let request = AlterUserScramCredentialsRequest::default().with_deletions(deletions).with_upsertions(upsertions);
    side.ask(draw, &request);
    let users = (0..USERS).map(|number| UserName::default().with_name(side.named(&format!("user{number}")))).collect();
    side.ask_in(0, &DescribeUserScramCredentialsRequest::default().with_users(Some(users)), Keep::All);
}

pub(crate) fn describe_users(side: &mut Side, draw: &mut Draw) {
    let users = draw.some(|draw| UserName::default().with_name(draw.own_or_odd(side, "user", USERS)));
    let users = draw.chance(80).then_some(users).filter(|users| !users.is_empty());
    side.ask_own(draw, &DescribeUserScramCredentialsRequest::default().with_users(users));
}

/// Nobody keeps rules here, so all is refused.
pub(crate) fn rules(side: &mut Side, draw: &mut Draw) {
    let kind = if draw.chance(85) { *draw.pick(&[2, 3, 4, 5]) } else { *draw.pick(&[0, 1, 7, -1, 100]) };
    let pattern = if draw.chance(85) { *draw.pick(&[3, 4]) } else { *draw.pick(&[0, 1, 2, -1]) };
    let operation = if draw.chance(85) { 3 } else { *draw.pick(&[0, 1, -1, 100]) };
    let permission = if draw.chance(85) { 3 } else { *draw.pick(&[0, 1, -1]) };
    let name = draw.own_or_odd(side, "topic", 3);
    let principal = if draw.chance(85) { text("User:somebody") } else { text("nonsense") };
    match draw.below(3) {
        0 => {
            let rule = AclCreation::default()
                .with_resource_type(kind)
                .with_resource_name(name)
                .with_resource_pattern_type(pattern)
                .with_principal(principal)
                .with_host(text("*"))
                .with_operation(operation)
                .with_permission_type(permission);
            let rules = draw.some(|_| rule.clone());
            side.ask(draw, &CreateAclsRequest::default().with_creations(rules));
        }
        1 => {
            let filter = DeleteAclsFilter::default()
                .with_resource_type_filter(kind)
                .with_resource_name_filter(Some(name))
                .with_pattern_type_filter(pattern)
                .with_principal_filter(Some(principal))
                .with_host_filter(None)
                .with_operation(operation)
                .with_permission_type(permission);
            let filters = draw.some(|_| filter.clone());
            side.ask(draw, &DeleteAclsRequest::default().with_filters(filters));
        }
        _ => {
            let request = DescribeAclsRequest::default()
                .with_resource_type_filter(kind)
                .with_resource_name_filter(Some(name))
                .with_pattern_type_filter(pattern)
                .with_principal_filter(Some(principal))
                .with_host_filter(None)
                .with_operation(operation)
                .with_permission_type(permission);
            side.ask(draw, &request);
        }
    }
}

/// Without SASL nobody gets one.
pub(crate) fn tokens(side: &mut Side, draw: &mut Draw) {
    let number = i64::from(draw.odd_number());
    match draw.below(4) {
        0 => {
            let renewer = |_: &mut Draw| {
                CreatableRenewers::default().with_principal_type(text("User")).with_principal_name(text("somebody"))
            };
            let renewers = draw.some(renewer);
            let request = CreateDelegationTokenRequest::default().with_renewers(renewers);
            side.ask(draw, &request.with_max_lifetime_ms(number));
        }
        1 => {
            let request = RenewDelegationTokenRequest::default().with_hmac(Bytes::from_static(b"nothing"));
            side.ask(draw, &request.with_renew_period_ms(number));
        }
        2 => {
            let request = ExpireDelegationTokenRequest::default().with_hmac(Bytes::from_static(b"nothing"));
            side.ask(draw, &request.with_expiry_time_period_ms(number));
        }
        _ => {
            let owner = |_: &mut Draw| {
                let owner = DescribeDelegationTokenOwner::default().with_principal_type(text("User"));
                owner.with_principal_name(text("somebody"))
            };
            let owners = draw.some(owner);
            let owners = draw.chance(60).then_some(owners);
            side.ask(draw, &DescribeDelegationTokenRequest::default().with_owners(owners));
        }
    }
}

pub(crate) fn remove_all(side: &mut Side, _: &mut Draw) {
    let deletion = |number: u8| {
        let name = side.named(&format!("user{}", number / 2));
        ScramCredentialDeletion::default().with_name(name).with_mechanism(1 + i8::try_from(number % 2).unwrap())
    };
    let deletions = (0..USERS * 2).map(deletion).collect();
    side.ask_in(0, &AlterUserScramCredentialsRequest::default().with_deletions(deletions), Keep::All);
}
