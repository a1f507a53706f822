//! Groups of both kinds, their members, and what they have committed.

use std::time::Duration;

use tidemill_client::{
    Admin, AutoOffsetReset, Consumer, ErrorCode, GroupDetails, GroupFilter, GroupListing, GroupMemberId, GroupState,
    GroupType, IsolationLevel, OffsetAndMetadata, TopicPartition,
};
use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::{ConsumerGroupHeartbeatRequest, GroupId, TopicName};

use super::{code, only};
use crate::bed::{Bed, PATIENCE, on_every_cluster, on_every_version};

on_every_version! {
    a_classic_group_is_listed_and_described_with_who_reads_what(2);
    a_group_without_members_is_deleted_and_one_with_members_is_not(1);
    what_a_group_has_committed_is_listed_altered_and_deleted(3);
    the_lag_of_a_group_is_what_it_has_not_read(2);
    a_static_member_is_removed_and_its_group_is_empty(1);
}

async fn committed(bed: &Bed, values: i64) -> Consumer {
    bed.fill(0, (0..values).map(|number| number.to_string())).await;
    let member = Consumer::new(bed.member().auto_offset_reset(AutoOffsetReset::Earliest)).unwrap();
    member.subscribe([bed.topic.as_str()]).unwrap();
    for _ in 0..values {
        member.recv().await.unwrap();
    }
    member.commit().await.unwrap();
    member
}

async fn listed(admin: &Admin, filter: &GroupFilter, group: &str) -> Option<GroupListing> {
    let groups = admin.list_groups(filter, PATIENCE).await.unwrap().complete().unwrap();
    groups.into_iter().find(|listing| listing.group_id == group)
}

async fn a_classic_group_is_listed_and_described_with_who_reads_what(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let member = committed(&bed, 3).await;
    let listing = listed(&admin, &GroupFilter::default(), &bed.group).await.unwrap();
    assert_eq!((&*listing.protocol_type, listing.state), ("consumer", Some(GroupState::Stable)));
    assert_eq!(listing.group_type, Some(GroupType::Classic));
    let brokers = admin.describe_cluster(PATIENCE).await.unwrap().brokers;
    assert_eq!(listing.coordinator, brokers[0].id);
    let stable = GroupFilter::default().states([GroupState::Stable]).types([GroupType::Classic]);
    assert!(listed(&admin, &stable, &bed.group).await.is_some());
    for other in
        [GroupFilter::default().states([GroupState::Empty]), GroupFilter::default().types([GroupType::Consumer])]
    {
        assert_eq!(listed(&admin, &other, &bed.group).await, None);
    }

    let missing = format!("{}-missing", bed.group);
    let described = admin.describe_groups(&[&missing, &bed.group], PATIENCE).await.unwrap();
    assert_eq!(code(&described[0].1), Some(ErrorCode::GROUP_ID_NOT_FOUND));
    let group = described[1].1.as_ref().unwrap();
    assert_eq!(group.state, GroupState::Stable);
    let GroupDetails::Classic(classic) = &group.details else { panic!("{group:?}") };
    assert_eq!((&*classic.protocol_type, &*classic.protocol), ("consumer", "range"));
    let [only_member] = &group.members[..] else { panic!("{group:?}") };
    assert_eq!(only_member.assignment, bed.partitions(2));
    assert_eq!(only_member.client_id, "tidemill");
    assert!(!group.authorized_operations.as_ref().unwrap().is_empty());
    member.close(PATIENCE).await.unwrap();
}

async fn a_group_without_members_is_deleted_and_one_with_members_is_not(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let member = committed(&bed, 1).await;
    let missing = format!("{}-missing", bed.group);
    let outcomes = admin.delete_groups(&[&bed.group, &missing], PATIENCE).await.unwrap();
    assert_eq!(code(&outcomes[0].1), Some(ErrorCode::NON_EMPTY_GROUP));
    assert_eq!(code(&outcomes[1].1), Some(ErrorCode::GROUP_ID_NOT_FOUND));
    member.close(PATIENCE).await.unwrap();
    assert_eq!(code(&only(admin.delete_groups(&[&bed.group], PATIENCE).await.unwrap())), None);
    assert_eq!(listed(&admin, &GroupFilter::default(), &bed.group).await, None);
}

async fn what_a_group_has_committed_is_listed_altered_and_deleted(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let member = committed(&bed, 3).await;
    let refused = admin.alter_group_offsets(&bed.group, &[(bed.partition(0), 1.into())], PATIENCE).await.unwrap();
    assert_eq!(code(&only(refused)), Some(ErrorCode::UNKNOWN_MEMBER_ID));
    let refused = admin.delete_group_offsets(&bed.group, &[bed.partition(0)], PATIENCE).await.unwrap();
    assert_eq!(code(&only(refused)), Some(ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC));
    member.close(PATIENCE).await.unwrap();

    let mut noted = OffsetAndMetadata::from(2);
    noted.metadata = "by hand".to_owned();
    let missing = TopicPartition::new(format!("{}-missing", bed.topic), 0);
    let wanted = [(bed.partition(1), noted.clone()), (missing, 5.into()), (bed.partition(2), 0.into())];
    let outcomes = admin.alter_group_offsets(&bed.group, &wanted, PATIENCE).await.unwrap();
    let codes: Vec<_> = outcomes.iter().map(|(_, outcome)| code(outcome)).collect();
    assert_eq!(codes, [None, Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION), None]);

    let other = format!("{}-other", bed.group);
    let made = admin.alter_group_offsets(&other, &[(bed.partition(0), 1.into())], PATIENCE).await.unwrap();
    assert_eq!(code(&only(made)), None);
    let offsets = admin.list_group_offsets(&[&bed.group, &other, "nobody"], PATIENCE).await.unwrap();
    let of_group = offsets[0].1.as_ref().unwrap();
    assert_eq!(of_group.keys().cloned().collect::<Vec<_>>(), bed.partitions(3));
    assert_eq!((of_group[&bed.partition(0)].offset, &of_group[&bed.partition(1)]), (3, &noted));
    assert_eq!(offsets[1].1.as_ref().unwrap().len(), 1);
    assert!(offsets[2].1.as_ref().unwrap().is_empty());

    let deleted = admin.delete_group_offsets(&bed.group, &bed.partitions(2), PATIENCE).await.unwrap();
    assert!(deleted.iter().all(|(_, outcome)| outcome.is_ok()), "{deleted:?}");
    let left = only(admin.list_group_offsets(&[&bed.group], PATIENCE).await.unwrap()).unwrap();
    assert_eq!(left.keys().cloned().collect::<Vec<_>>(), [bed.partition(2)]);
}

async fn the_lag_of_a_group_is_what_it_has_not_read(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    bed.fill(0, (0..10).map(|number| number.to_string())).await;
    bed.fill(1, (0..4).map(|number| number.to_string())).await;
    let offsets = [(bed.partition(0), 7.into()), (bed.partition(1), 1.into())];
    admin.alter_group_offsets(&bed.group, &offsets, PATIENCE).await.unwrap();
    admin.delete_records(&[(bed.partition(1), Some(2))], PATIENCE).await.unwrap();
    let lag = admin.group_lag(&bed.group, IsolationLevel::ReadCommitted, PATIENCE).await.unwrap();
    let lag: Vec<_> = lag.into_iter().map(|(partition, lag)| (partition, lag.unwrap())).collect();
    let numbers: Vec<_> = lag.iter().map(|(_, it)| (it.committed.offset, it.earliest, it.latest, it.lag())).collect();
    assert_eq!(numbers, [(7, 0, 10, 3), (1, 2, 4, 2)]);
    assert!(admin.group_lag("nobody", IsolationLevel::ReadCommitted, PATIENCE).await.unwrap().is_empty());
}

async fn a_static_member_is_removed_and_its_group_is_empty(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    bed.fill(0, ["one".to_owned()]).await;
    let member = Consumer::new(bed.member().group_instance_id("left-behind")).unwrap();
    member.subscribe([bed.topic.as_str()]).unwrap();
    member.recv().await.unwrap();
    // It goes without leaving the group, as static members do.
    member.close(PATIENCE).await.unwrap();
    let described = only(admin.describe_groups(&[&bed.group], PATIENCE).await.unwrap()).unwrap();
    assert_eq!(described.members[0].group_instance_id.as_deref(), Some("left-behind"));
    let instance = |name: &str| GroupMemberId::Instance(name.to_owned());
    let members = [instance("never-there"), instance("left-behind")];
    let outcomes = admin.remove_group_members(&bed.group, &members, "it is gone", PATIENCE).await.unwrap();
    let codes: Vec<_> = outcomes.iter().map(|(_, outcome)| code(outcome)).collect();
    assert_eq!(codes, [Some(ErrorCode::UNKNOWN_MEMBER_ID), None]);
    let described = only(admin.describe_groups(&[&bed.group], PATIENCE).await.unwrap()).unwrap();
    assert_eq!((described.state, described.members.len()), (GroupState::Empty, 0));
}

mod with_the_protocol_of_kip_848 {
    use super::*;

    on_every_cluster! {
        a_consumer_group_is_described_with_its_epochs(2);
    }

    async fn a_consumer_group_is_described_with_its_epochs(bed: Bed) {
        let admin = Admin::new(bed.client(&[])).unwrap();
        // Once it has been asked about, the group's coordinator is there.
        admin.list_group_offsets(&[&bed.group], PATIENCE).await.unwrap();
        let word = |word: &str| StrBytes::from_string(word.to_owned());
        let join = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(word(&bed.group)))
            .with_member_id(word("member-1"))
            .with_rebalance_timeout_ms(60_000)
            .with_subscribed_topic_names(Some(vec![TopicName(word(&bed.topic))]))
            .with_topic_partitions(Some(Vec::new()));
        // The topic is so new that the coordinator may not know it yet.
        let mut epoch = bed.ask(&join, 1).await.member_epoch;
        let group = loop {
            assert!(epoch > 0, "it is a member");
            let group = only(admin.describe_groups(&[&bed.group], PATIENCE).await.unwrap()).unwrap();
            if group.members[0].assignment.len() == 2 {
                break group;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            let beat = ConsumerGroupHeartbeatRequest::default()
                .with_group_id(GroupId(word(&bed.group)))
                .with_member_id(word("member-1"))
                .with_member_epoch(epoch)
                .with_subscribed_topic_names(None);
            epoch = bed.ask(&beat, 1).await.member_epoch;
        };
        let GroupDetails::Consumer(consumer) = &group.details else { panic!("{group:?}") };
        assert_eq!(&*consumer.assignor, "uniform");
        assert!(consumer.group_epoch >= consumer.assignment_epoch && consumer.assignment_epoch > 0);
        let member = &group.members[0];
        assert_eq!((&*member.member_id, &member.subscribed_topics[..]), ("member-1", &[bed.topic.clone()][..]));
        assert_eq!(
            (&member.assignment, member.target_assignment.as_ref().unwrap()),
            (&bed.partitions(2), &bed.partitions(2))
        );
        let consumers = GroupFilter::default().types([GroupType::Consumer]);
        let listing = listed(&admin, &consumers, &bed.group).await.unwrap();
        assert_eq!(listing.group_type, Some(GroupType::Consumer));
    }
}
