//! Where nobody is asked who asks, and there is no authorizer: what is there to be said of rules, logins and tokens.

use bytes::Bytes;
use tidemill_protocol::messages::*;

use super::peer::*;

pub(crate) async fn security(broker: &mut Broker) {
    let creation = create_acls_request::AclCreation::default()
        .with_resource_type(2)
        .with_resource_name(text("rules"))
        .with_resource_pattern_type(3)
        .with_principal(text("User:carol"))
        .with_host(text("*"))
        .with_operation(3)
        .with_permission_type(3);
    for version in [1, 3] {
        let body = CreateAclsRequest::default().with_creations(vec![creation.clone(), creation.clone()]);
        let made = broker.ask(version, &body).await;
        broker.note(&format!("CreateAcls v{version}"), &made);
        let filter = delete_acls_request::DeleteAclsFilter::default()
            .with_resource_type_filter(1)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(1)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(1)
            .with_permission_type(1);
        let body = DeleteAclsRequest::default().with_filters(vec![filter.clone(), filter]);
        let deleted = broker.ask(version, &body).await;
        broker.note(&format!("DeleteAcls v{version}"), &deleted);
        let body = DescribeAclsRequest::default()
            .with_resource_type_filter(1)
            .with_resource_name_filter(None)
            .with_pattern_type_filter(1)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(1)
            .with_permission_type(1);
        let described = broker.ask(version, &body).await;
        broker.note(&format!("DescribeAcls v{version}"), &described);
    }
    for version in [0, 1] {
        let body = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
        let shaken = broker.ask(version, &body).await;
        broker.note(&format!("SaslHandshake v{version}"), &shaken);
    }
    for version in [0, 1, 2] {
        let body = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(b"\0alice\0secret"));
        let proved = broker.ask(version, &body).await;
        broker.note(&format!("SaslAuthenticate v{version}"), &proved);
    }
    for version in [1, 2, 3] {
        let mut body = CreateDelegationTokenRequest::default().with_max_lifetime_ms(1000);
        if version >= 3 {
            body = body.with_owner_principal_type(Some(text("User"))).with_owner_principal_name(Some(text("bob")));
        }
        let made = broker.ask(version, &body).await;
        broker.note(&format!("CreateDelegationToken v{version}"), &made);
        let body = DescribeDelegationTokenRequest::default().with_owners(None);
        let described = broker.ask(version, &body).await;
        broker.note(&format!("DescribeDelegationToken v{version}"), &described);
    }
    for version in [1, 2] {
        let body = RenewDelegationTokenRequest::default().with_hmac(Bytes::from_static(b"token"));
        let renewed = broker.ask(version, &body).await;
        broker.note(&format!("RenewDelegationToken v{version}"), &renewed);
        let body = ExpireDelegationTokenRequest::default().with_hmac(Bytes::from_static(b"token"));
        let ended = broker.ask(version, &body).await;
        broker.note(&format!("ExpireDelegationToken v{version}"), &ended);
    }
    let described = broker.ask(0, &DescribeUserScramCredentialsRequest::default().with_users(None)).await;
    broker.note("DescribeUserScramCredentials", &described);
    let described = broker.ask(0, &DescribeClientQuotasRequest::default()).await;
    broker.note("DescribeClientQuotas", &described);
}
