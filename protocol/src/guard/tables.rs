// Generated from the message schemas of Apache Kafka 4.1.1 by `cargo run -p tidemill-schemagen`.
//! What fields each message has in each version. The rows are explained in [`schema`](super::schema).

use std::mem::size_of;

use kafka_protocol::messages as m;

use super::schema::Kind::*;
use super::schema::{Message, NEVER, Struct, a, f, v};

pub(super) static REQUEST_HEADER: Message = Message { api: 0, versions: v(1, 2), flexible: 2, body: 370 }; // RequestHeader
pub(super) static RESPONSE_HEADER: Message = Message { api: 1, versions: v(0, 1), flexible: 1, body: 371 }; // ResponseHeader

pub(super) static REQUESTS: &[Message] = &[
    Message { api: 0, versions: v(3, 13), flexible: 9, body: 344 }, // ProduceRequest
    Message { api: 1, versions: v(4, 18), flexible: 12, body: 241 }, // FetchRequest
    Message { api: 2, versions: v(1, 10), flexible: 6, body: 296 }, // ListOffsetsRequest
    Message { api: 3, versions: v(0, 13), flexible: 9, body: 309 }, // MetadataRequest
    Message { api: 8, versions: v(2, 9), flexible: 8, body: 316 }, // OffsetCommitRequest
    Message { api: 9, versions: v(1, 9), flexible: 6, body: 329 }, // OffsetFetchRequest
    Message { api: 10, versions: v(0, 6), flexible: 3, body: 260 }, // FindCoordinatorRequest
    Message { api: 11, versions: v(0, 9), flexible: 6, body: 281 }, // JoinGroupRequest
    Message { api: 12, versions: v(0, 4), flexible: 4, body: 265 }, // HeartbeatRequest
    Message { api: 13, versions: v(0, 5), flexible: 4, body: 285 }, // LeaveGroupRequest
    Message { api: 14, versions: v(0, 5), flexible: 4, body: 407 }, // SyncGroupRequest
    Message { api: 15, versions: v(0, 6), flexible: 5, body: 169 }, // DescribeGroupsRequest
    Message { api: 16, versions: v(0, 5), flexible: 3, body: 291 }, // ListGroupsRequest
    Message { api: 17, versions: v(0, 1), flexible: NEVER, body: 374 }, // SaslHandshakeRequest
    Message { api: 18, versions: v(0, 4), flexible: 3, body: 56 }, // ApiVersionsRequest
    Message { api: 19, versions: v(2, 7), flexible: 5, body: 113 }, // CreateTopicsRequest
    Message { api: 20, versions: v(1, 6), flexible: 4, body: 142 }, // DeleteTopicsRequest
    Message { api: 21, versions: v(0, 2), flexible: 2, body: 127 }, // DeleteRecordsRequest
    Message { api: 22, versions: v(0, 5), flexible: 2, body: 272 }, // InitProducerIdRequest
    Message { api: 23, versions: v(2, 4), flexible: 4, body: 338 }, // OffsetForLeaderEpochRequest
    Message { api: 24, versions: v(0, 5), flexible: 3, body: 4 }, // AddPartitionsToTxnRequest
    Message { api: 25, versions: v(0, 4), flexible: 3, body: 0 }, // AddOffsetsToTxnRequest
    Message { api: 26, versions: v(0, 5), flexible: 3, body: 231 }, // EndTxnRequest
    Message { api: 27, versions: v(1, 1), flexible: 1, body: 442 }, // WriteTxnMarkersRequest
    Message { api: 28, versions: v(0, 5), flexible: 3, body: 411 }, // TxnOffsetCommitRequest
    Message { api: 29, versions: v(1, 3), flexible: 2, body: 145 }, // DescribeAclsRequest
    Message { api: 30, versions: v(1, 3), flexible: 2, body: 99 }, // CreateAclsRequest
    Message { api: 31, versions: v(1, 3), flexible: 2, body: 118 }, // DeleteAclsRequest
    Message { api: 32, versions: v(1, 4), flexible: 4, body: 159 }, // DescribeConfigsRequest
    Message { api: 33, versions: v(0, 2), flexible: 2, body: 23 }, // AlterConfigsRequest
    Message { api: 34, versions: v(1, 2), flexible: 2, body: 41 }, // AlterReplicaLogDirsRequest
    Message { api: 35, versions: v(1, 4), flexible: 2, body: 174 }, // DescribeLogDirsRequest
    Message { api: 36, versions: v(0, 2), flexible: 2, body: 372 }, // SaslAuthenticateRequest
    Message { api: 37, versions: v(0, 3), flexible: 2, body: 107 }, // CreatePartitionsRequest
    Message { api: 38, versions: v(1, 3), flexible: 2, body: 103 }, // CreateDelegationTokenRequest
    Message { api: 39, versions: v(1, 2), flexible: 2, body: 368 }, // RenewDelegationTokenRequest
    Message { api: 40, versions: v(1, 2), flexible: 2, body: 235 }, // ExpireDelegationTokenRequest
    Message { api: 41, versions: v(1, 3), flexible: 2, body: 165 }, // DescribeDelegationTokenRequest
    Message { api: 42, versions: v(0, 2), flexible: 2, body: 122 }, // DeleteGroupsRequest
    Message { api: 43, versions: v(0, 2), flexible: 2, body: 218 }, // ElectLeadersRequest
    Message { api: 44, versions: v(0, 1), flexible: 1, body: 269 }, // IncrementalAlterConfigsRequest
    Message { api: 45, versions: v(0, 1), flexible: 0, body: 28 }, // AlterPartitionReassignmentsRequest
    Message { api: 46, versions: v(0, 0), flexible: 0, body: 301 }, // ListPartitionReassignmentsRequest
    Message { api: 47, versions: v(0, 0), flexible: NEVER, body: 322 }, // OffsetDeleteRequest
    Message { api: 48, versions: v(0, 1), flexible: 1, body: 150 }, // DescribeClientQuotasRequest
    Message { api: 49, versions: v(0, 1), flexible: 1, body: 17 }, // AlterClientQuotasRequest
    Message { api: 50, versions: v(0, 0), flexible: 0, body: 213 }, // DescribeUserScramCredentialsRequest
    Message { api: 51, versions: v(0, 0), flexible: 0, body: 53 }, // AlterUserScramCredentialsRequest
    Message { api: 52, versions: v(0, 2), flexible: 0, body: 428 }, // VoteRequest
    Message { api: 53, versions: v(0, 1), flexible: 1, body: 72 }, // BeginQuorumEpochRequest
    Message { api: 54, versions: v(0, 1), flexible: 1, body: 226 }, // EndQuorumEpochRequest
    Message { api: 55, versions: v(0, 2), flexible: 0, body: 187 }, // DescribeQuorumRequest
    Message { api: 56, versions: v(2, 3), flexible: 2, body: 35 }, // AlterPartitionRequest
    Message { api: 57, versions: v(0, 2), flexible: 0, body: 418 }, // UpdateFeaturesRequest
    Message { api: 58, versions: v(0, 0), flexible: 0, body: 233 }, // EnvelopeRequest
    Message { api: 59, versions: v(0, 1), flexible: 0, body: 253 }, // FetchSnapshotRequest
    Message { api: 60, versions: v(0, 2), flexible: 0, body: 155 }, // DescribeClusterRequest
    Message { api: 61, versions: v(0, 0), flexible: 0, body: 180 }, // DescribeProducersRequest
    Message { api: 62, versions: v(0, 4), flexible: 0, body: 81 }, // BrokerRegistrationRequest
    Message { api: 63, versions: v(0, 1), flexible: 0, body: 77 }, // BrokerHeartbeatRequest
    Message { api: 64, versions: v(0, 0), flexible: 0, body: 415 }, // UnregisterBrokerRequest
    Message { api: 65, versions: v(0, 0), flexible: 0, body: 208 }, // DescribeTransactionsRequest
    Message { api: 66, versions: v(0, 2), flexible: 0, body: 305 }, // ListTransactionsRequest
    Message { api: 67, versions: v(0, 0), flexible: 0, body: 12 }, // AllocateProducerIdsRequest
    Message { api: 68, versions: v(0, 1), flexible: 0, body: 90 }, // ConsumerGroupHeartbeatRequest
    Message { api: 69, versions: v(0, 1), flexible: 0, body: 83 }, // ConsumerGroupDescribeRequest
    Message { api: 70, versions: v(0, 0), flexible: 0, body: 96 }, // ControllerRegistrationRequest
    Message { api: 71, versions: v(0, 0), flexible: 0, body: 263 }, // GetTelemetrySubscriptionsRequest
    Message { api: 72, versions: v(0, 0), flexible: 0, body: 351 }, // PushTelemetryRequest
    Message { api: 73, versions: v(0, 0), flexible: 0, body: 64 }, // AssignReplicasToDirsRequest
    Message { api: 74, versions: v(0, 1), flexible: 0, body: 288 }, // ListConfigResourcesRequest
    Message { api: 75, versions: v(0, 0), flexible: 0, body: 203 }, // DescribeTopicPartitionsRequest
    Message { api: 76, versions: v(1, 1), flexible: 1, body: 402 }, // ShareGroupHeartbeatRequest
    Message { api: 77, versions: v(1, 1), flexible: 1, body: 396 }, // ShareGroupDescribeRequest
    Message { api: 78, versions: v(1, 1), flexible: 1, body: 389 }, // ShareFetchRequest
    Message { api: 79, versions: v(1, 1), flexible: 1, body: 379 }, // ShareAcknowledgeRequest
    Message { api: 80, versions: v(0, 0), flexible: 0, body: 10 }, // AddRaftVoterRequest
    Message { api: 81, versions: v(0, 0), flexible: 0, body: 366 }, // RemoveRaftVoterRequest
    Message { api: 82, versions: v(0, 0), flexible: 0, body: 423 }, // UpdateRaftVoterRequest
    Message { api: 83, versions: v(0, 0), flexible: 0, body: 276 }, // InitializeShareGroupStateRequest
    Message { api: 84, versions: v(0, 0), flexible: 0, body: 355 }, // ReadShareGroupStateRequest
    Message { api: 85, versions: v(0, 0), flexible: 0, body: 436 }, // WriteShareGroupStateRequest
    Message { api: 86, versions: v(0, 0), flexible: 0, body: 137 }, // DeleteShareGroupStateRequest
    Message { api: 87, versions: v(0, 0), flexible: 0, body: 362 }, // ReadShareGroupStateSummaryRequest
    Message { api: 90, versions: v(0, 0), flexible: 0, body: 196 }, // DescribeShareGroupOffsetsRequest
    Message { api: 91, versions: v(0, 0), flexible: 0, body: 47 }, // AlterShareGroupOffsetsRequest
    Message { api: 92, versions: v(0, 0), flexible: 0, body: 132 }, // DeleteShareGroupOffsetsRequest
];

pub(super) static RESPONSES: &[Message] = &[
    Message { api: 0, versions: v(3, 13), flexible: 9, body: 350 }, // ProduceResponse
    Message { api: 1, versions: v(4, 18), flexible: 12, body: 249 }, // FetchResponse
    Message { api: 2, versions: v(1, 10), flexible: 6, body: 299 }, // ListOffsetsResponse
    Message { api: 3, versions: v(0, 13), flexible: 9, body: 313 }, // MetadataResponse
    Message { api: 8, versions: v(2, 9), flexible: 8, body: 319 }, // OffsetCommitResponse
    Message { api: 9, versions: v(1, 9), flexible: 6, body: 335 }, // OffsetFetchResponse
    Message { api: 10, versions: v(0, 6), flexible: 3, body: 262 }, // FindCoordinatorResponse
    Message { api: 11, versions: v(0, 9), flexible: 6, body: 283 }, // JoinGroupResponse
    Message { api: 12, versions: v(0, 4), flexible: 4, body: 266 }, // HeartbeatResponse
    Message { api: 13, versions: v(0, 5), flexible: 4, body: 287 }, // LeaveGroupResponse
    Message { api: 14, versions: v(0, 5), flexible: 4, body: 408 }, // SyncGroupResponse
    Message { api: 15, versions: v(0, 6), flexible: 5, body: 172 }, // DescribeGroupsResponse
    Message { api: 16, versions: v(0, 5), flexible: 3, body: 293 }, // ListGroupsResponse
    Message { api: 17, versions: v(0, 1), flexible: NEVER, body: 375 }, // SaslHandshakeResponse
    Message { api: 18, versions: v(0, 4), flexible: 3, body: 60 }, // ApiVersionsResponse
    Message { api: 19, versions: v(2, 7), flexible: 5, body: 116 }, // CreateTopicsResponse
    Message { api: 20, versions: v(1, 6), flexible: 4, body: 144 }, // DeleteTopicsResponse
    Message { api: 21, versions: v(0, 2), flexible: 2, body: 130 }, // DeleteRecordsResponse
    Message { api: 22, versions: v(0, 5), flexible: 2, body: 273 }, // InitProducerIdResponse
    Message { api: 23, versions: v(2, 4), flexible: 4, body: 341 }, // OffsetForLeaderEpochResponse
    Message { api: 24, versions: v(0, 5), flexible: 3, body: 8 }, // AddPartitionsToTxnResponse
    Message { api: 25, versions: v(0, 4), flexible: 3, body: 1 }, // AddOffsetsToTxnResponse
    Message { api: 26, versions: v(0, 5), flexible: 3, body: 232 }, // EndTxnResponse
    Message { api: 27, versions: v(1, 1), flexible: 1, body: 446 }, // WriteTxnMarkersResponse
    Message { api: 28, versions: v(0, 5), flexible: 3, body: 414 }, // TxnOffsetCommitResponse
    Message { api: 29, versions: v(1, 3), flexible: 2, body: 148 }, // DescribeAclsResponse
    Message { api: 30, versions: v(1, 3), flexible: 2, body: 101 }, // CreateAclsResponse
    Message { api: 31, versions: v(1, 3), flexible: 2, body: 121 }, // DeleteAclsResponse
    Message { api: 32, versions: v(1, 4), flexible: 4, body: 163 }, // DescribeConfigsResponse
    Message { api: 33, versions: v(0, 2), flexible: 2, body: 25 }, // AlterConfigsResponse
    Message { api: 34, versions: v(1, 2), flexible: 2, body: 44 }, // AlterReplicaLogDirsResponse
    Message { api: 35, versions: v(1, 4), flexible: 2, body: 178 }, // DescribeLogDirsResponse
    Message { api: 36, versions: v(0, 2), flexible: 2, body: 373 }, // SaslAuthenticateResponse
    Message { api: 37, versions: v(0, 3), flexible: 2, body: 109 }, // CreatePartitionsResponse
    Message { api: 38, versions: v(1, 3), flexible: 2, body: 104 }, // CreateDelegationTokenResponse
    Message { api: 39, versions: v(1, 2), flexible: 2, body: 369 }, // RenewDelegationTokenResponse
    Message { api: 40, versions: v(1, 2), flexible: 2, body: 236 }, // ExpireDelegationTokenResponse
    Message { api: 41, versions: v(1, 3), flexible: 2, body: 168 }, // DescribeDelegationTokenResponse
    Message { api: 42, versions: v(0, 2), flexible: 2, body: 124 }, // DeleteGroupsResponse
    Message { api: 43, versions: v(0, 2), flexible: 2, body: 221 }, // ElectLeadersResponse
    Message { api: 44, versions: v(0, 1), flexible: 1, body: 271 }, // IncrementalAlterConfigsResponse
    Message { api: 45, versions: v(0, 1), flexible: 0, body: 31 }, // AlterPartitionReassignmentsResponse
    Message { api: 46, versions: v(0, 0), flexible: 0, body: 304 }, // ListPartitionReassignmentsResponse
    Message { api: 47, versions: v(0, 0), flexible: NEVER, body: 325 }, // OffsetDeleteResponse
    Message { api: 48, versions: v(0, 1), flexible: 1, body: 154 }, // DescribeClientQuotasResponse
    Message { api: 49, versions: v(0, 1), flexible: 1, body: 20 }, // AlterClientQuotasResponse
    Message { api: 50, versions: v(0, 0), flexible: 0, body: 216 }, // DescribeUserScramCredentialsResponse
    Message { api: 51, versions: v(0, 0), flexible: 0, body: 55 }, // AlterUserScramCredentialsResponse
    Message { api: 52, versions: v(0, 2), flexible: 0, body: 432 }, // VoteResponse
    Message { api: 53, versions: v(0, 1), flexible: 1, body: 76 }, // BeginQuorumEpochResponse
    Message { api: 54, versions: v(0, 1), flexible: 1, body: 230 }, // EndQuorumEpochResponse
    Message { api: 55, versions: v(0, 2), flexible: 0, body: 193 }, // DescribeQuorumResponse
    Message { api: 56, versions: v(2, 3), flexible: 2, body: 38 }, // AlterPartitionResponse
    Message { api: 57, versions: v(0, 2), flexible: 0, body: 420 }, // UpdateFeaturesResponse
    Message { api: 58, versions: v(0, 0), flexible: 0, body: 234 }, // EnvelopeResponse
    Message { api: 59, versions: v(0, 1), flexible: 0, body: 259 }, // FetchSnapshotResponse
    Message { api: 60, versions: v(0, 2), flexible: 0, body: 157 }, // DescribeClusterResponse
    Message { api: 61, versions: v(0, 0), flexible: 0, body: 184 }, // DescribeProducersResponse
    Message { api: 62, versions: v(0, 4), flexible: 0, body: 82 }, // BrokerRegistrationResponse
    Message { api: 63, versions: v(0, 1), flexible: 0, body: 78 }, // BrokerHeartbeatResponse
    Message { api: 64, versions: v(0, 0), flexible: 0, body: 416 }, // UnregisterBrokerResponse
    Message { api: 65, versions: v(0, 0), flexible: 0, body: 211 }, // DescribeTransactionsResponse
    Message { api: 66, versions: v(0, 2), flexible: 0, body: 307 }, // ListTransactionsResponse
    Message { api: 67, versions: v(0, 0), flexible: 0, body: 13 }, // AllocateProducerIdsResponse
    Message { api: 68, versions: v(0, 1), flexible: 0, body: 93 }, // ConsumerGroupHeartbeatResponse
    Message { api: 69, versions: v(0, 1), flexible: 0, body: 88 }, // ConsumerGroupDescribeResponse
    Message { api: 70, versions: v(0, 0), flexible: 0, body: 97 }, // ControllerRegistrationResponse
    Message { api: 71, versions: v(0, 0), flexible: 0, body: 264 }, // GetTelemetrySubscriptionsResponse
    Message { api: 72, versions: v(0, 0), flexible: 0, body: 352 }, // PushTelemetryResponse
    Message { api: 73, versions: v(0, 0), flexible: 0, body: 68 }, // AssignReplicasToDirsResponse
    Message { api: 74, versions: v(0, 1), flexible: 0, body: 290 }, // ListConfigResourcesResponse
    Message { api: 75, versions: v(0, 0), flexible: 0, body: 207 }, // DescribeTopicPartitionsResponse
    Message { api: 76, versions: v(1, 1), flexible: 1, body: 405 }, // ShareGroupHeartbeatResponse
    Message { api: 77, versions: v(1, 1), flexible: 1, body: 401 }, // ShareGroupDescribeResponse
    Message { api: 78, versions: v(1, 1), flexible: 1, body: 395 }, // ShareFetchResponse
    Message { api: 79, versions: v(1, 1), flexible: 1, body: 384 }, // ShareAcknowledgeResponse
    Message { api: 80, versions: v(0, 0), flexible: 0, body: 11 }, // AddRaftVoterResponse
    Message { api: 81, versions: v(0, 0), flexible: 0, body: 367 }, // RemoveRaftVoterResponse
    Message { api: 82, versions: v(0, 0), flexible: 0, body: 425 }, // UpdateRaftVoterResponse
    Message { api: 83, versions: v(0, 0), flexible: 0, body: 279 }, // InitializeShareGroupStateResponse
    Message { api: 84, versions: v(0, 0), flexible: 0, body: 359 }, // ReadShareGroupStateResponse
    Message { api: 85, versions: v(0, 0), flexible: 0, body: 439 }, // WriteShareGroupStateResponse
    Message { api: 86, versions: v(0, 0), flexible: 0, body: 140 }, // DeleteShareGroupStateResponse
    Message { api: 87, versions: v(0, 0), flexible: 0, body: 365 }, // ReadShareGroupStateSummaryResponse
    Message { api: 90, versions: v(0, 0), flexible: 0, body: 200 }, // DescribeShareGroupOffsetsResponse
    Message { api: 91, versions: v(0, 0), flexible: 0, body: 50 }, // AlterShareGroupOffsetsResponse
    Message { api: 92, versions: v(0, 0), flexible: 0, body: 134 }, // DeleteShareGroupOffsetsResponse
];

pub(super) static STRUCTS: &[Struct] = &[
    /* 0 */ Struct { size: size_of::<m::add_offsets_to_txn_request::AddOffsetsToTxnRequest>(), least: &[(0, 14), (3, 13)], fields: &[
        f("transactional_id", String),
        f("producer_id", Int64),
        f("producer_epoch", Int16),
        f("group_id", String),
    ] },
    /* 1 */ Struct { size: size_of::<m::add_offsets_to_txn_response::AddOffsetsToTxnResponse>(), least: &[(0, 6), (3, 7)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
    ] },
    /* 2 */ Struct { size: size_of::<m::add_partitions_to_txn_request::AddPartitionsToTxnTopic>(), least: &[(0, 6), (3, 3)], fields: &[
        f("name", String),
        a("partitions", Int32),
    ] },
    /* 3 */ Struct { size: size_of::<m::add_partitions_to_txn_request::AddPartitionsToTxnTransaction>(), least: &[(0, 0), (3, 1), (4, 14)], fields: &[
        f("transactional_id", String).since(4),
        f("producer_id", Int64).since(4),
        f("producer_epoch", Int16).since(4),
        f("verify_only", Bool).since(4),
        a("topics", Struct(2)).since(4),
    ] },
    /* 4 */ Struct { size: size_of::<m::add_partitions_to_txn_request::AddPartitionsToTxnRequest>(), least: &[(0, 16), (3, 13), (4, 2)], fields: &[
        a("transactions", Struct(3)).since(4),
        f("v3_and_below_transactional_id", String).until(3),
        f("v3_and_below_producer_id", Int64).until(3),
        f("v3_and_below_producer_epoch", Int16).until(3),
        a("v3_and_below_topics", Struct(2)).until(3),
    ] },
    /* 5 */ Struct { size: size_of::<m::add_partitions_to_txn_response::AddPartitionsToTxnPartitionResult>(), least: &[(0, 6), (3, 7)], fields: &[
        f("partition_index", Int32),
        f("partition_error_code", Int16),
    ] },
    /* 6 */ Struct { size: size_of::<m::add_partitions_to_txn_response::AddPartitionsToTxnTopicResult>(), least: &[(0, 6), (3, 3)], fields: &[
        f("name", String),
        a("results_by_partition", Struct(5)),
    ] },
    /* 7 */ Struct { size: size_of::<m::add_partitions_to_txn_response::AddPartitionsToTxnResult>(), least: &[(0, 0), (3, 1), (4, 3)], fields: &[
        f("transactional_id", String).since(4),
        a("topic_results", Struct(6)).since(4),
    ] },
    /* 8 */ Struct { size: size_of::<m::add_partitions_to_txn_response::AddPartitionsToTxnResponse>(), least: &[(0, 8), (3, 6), (4, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16).since(4),
        a("results_by_transaction", Struct(7)).since(4),
        a("results_by_topic_v3_and_below", Struct(6)).until(3),
    ] },
    /* 9 */ Struct { size: size_of::<m::add_raft_voter_request::Listener>(), least: &[(0, 5)], fields: &[
        f("name", String),
        f("host", String),
        f("port", Uint16),
    ] },
    /* 10 */ Struct { size: size_of::<m::add_raft_voter_request::AddRaftVoterRequest>(), least: &[(0, 27)], fields: &[
        f("cluster_id", String).nullable(),
        f("timeout_ms", Int32),
        f("voter_id", Int32),
        f("voter_directory_id", Uuid),
        a("listeners", Struct(9)),
    ] },
    /* 11 */ Struct { size: size_of::<m::add_raft_voter_response::AddRaftVoterResponse>(), least: &[(0, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 12 */ Struct { size: size_of::<m::allocate_producer_ids_request::AllocateProducerIdsRequest>(), least: &[(0, 13)], fields: &[
        f("broker_id", Int32),
        f("broker_epoch", Int64),
    ] },
    /* 13 */ Struct { size: size_of::<m::allocate_producer_ids_response::AllocateProducerIdsResponse>(), least: &[(0, 19)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("producer_id_start", Int64),
        f("producer_id_len", Int32),
    ] },
    /* 14 */ Struct { size: size_of::<m::alter_client_quotas_request::EntityData>(), least: &[(0, 4), (1, 3)], fields: &[
        f("entity_type", String),
        f("entity_name", String).nullable(),
    ] },
    /* 15 */ Struct { size: size_of::<m::alter_client_quotas_request::OpData>(), least: &[(0, 11)], fields: &[
        f("key", String),
        f("value", Float64),
        f("remove", Bool),
    ] },
    /* 16 */ Struct { size: size_of::<m::alter_client_quotas_request::EntryData>(), least: &[(0, 8), (1, 3)], fields: &[
        a("entity", Struct(14)),
        a("ops", Struct(15)),
    ] },
    /* 17 */ Struct { size: size_of::<m::alter_client_quotas_request::AlterClientQuotasRequest>(), least: &[(0, 5), (1, 3)], fields: &[
        a("entries", Struct(16)),
        f("validate_only", Bool),
    ] },
    /* 18 */ Struct { size: size_of::<m::alter_client_quotas_response::EntityData>(), least: &[(0, 4), (1, 3)], fields: &[
        f("entity_type", String),
        f("entity_name", String).nullable(),
    ] },
    /* 19 */ Struct { size: size_of::<m::alter_client_quotas_response::EntryData>(), least: &[(0, 8), (1, 5)], fields: &[
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("entity", Struct(18)),
    ] },
    /* 20 */ Struct { size: size_of::<m::alter_client_quotas_response::AlterClientQuotasResponse>(), least: &[(0, 8), (1, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("entries", Struct(19)),
    ] },
    /* 21 */ Struct { size: size_of::<m::alter_configs_request::AlterableConfig>(), least: &[(0, 4), (2, 3)], fields: &[
        f("name", String),
        f("value", String).nullable(),
    ] },
    /* 22 */ Struct { size: size_of::<m::alter_configs_request::AlterConfigsResource>(), least: &[(0, 7), (2, 4)], fields: &[
        f("resource_type", Int8),
        f("resource_name", String),
        a("configs", Struct(21)),
    ] },
    /* 23 */ Struct { size: size_of::<m::alter_configs_request::AlterConfigsRequest>(), least: &[(0, 5), (2, 3)], fields: &[
        a("resources", Struct(22)),
        f("validate_only", Bool),
    ] },
    /* 24 */ Struct { size: size_of::<m::alter_configs_response::AlterConfigsResourceResponse>(), least: &[(0, 7), (2, 6)], fields: &[
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("resource_type", Int8),
        f("resource_name", String),
    ] },
    /* 25 */ Struct { size: size_of::<m::alter_configs_response::AlterConfigsResponse>(), least: &[(0, 8), (2, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("responses", Struct(24)),
    ] },
    /* 26 */ Struct { size: size_of::<m::alter_partition_reassignments_request::ReassignablePartition>(), least: &[(0, 6)], fields: &[
        f("partition_index", Int32),
        a("replicas", Int32).nullable(),
    ] },
    /* 27 */ Struct { size: size_of::<m::alter_partition_reassignments_request::ReassignableTopic>(), least: &[(0, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(26)),
    ] },
    /* 28 */ Struct { size: size_of::<m::alter_partition_reassignments_request::AlterPartitionReassignmentsRequest>(), least: &[(0, 6), (1, 7)], fields: &[
        f("timeout_ms", Int32),
        f("allow_replication_factor_change", Bool).since(1),
        a("topics", Struct(27)),
    ] },
    /* 29 */ Struct { size: size_of::<m::alter_partition_reassignments_response::ReassignablePartitionResponse>(), least: &[(0, 8)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 30 */ Struct { size: size_of::<m::alter_partition_reassignments_response::ReassignableTopicResponse>(), least: &[(0, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(29)),
    ] },
    /* 31 */ Struct { size: size_of::<m::alter_partition_reassignments_response::AlterPartitionReassignmentsResponse>(), least: &[(0, 9), (1, 10)], fields: &[
        f("throttle_time_ms", Int32),
        f("allow_replication_factor_change", Bool).since(1),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("responses", Struct(30)),
    ] },
    /* 32 */ Struct { size: size_of::<m::alter_partition_request::BrokerState>(), least: &[(2, 1), (3, 13)], fields: &[
        f("broker_id", Int32).since(3),
        f("broker_epoch", Int64).since(3),
    ] },
    /* 33 */ Struct { size: size_of::<m::alter_partition_request::PartitionData>(), least: &[(2, 15)], fields: &[
        f("partition_index", Int32),
        f("leader_epoch", Int32),
        a("new_isr", Int32).until(2),
        a("new_isr_with_epochs", Struct(32)).since(3),
        f("leader_recovery_state", Int8),
        f("partition_epoch", Int32),
    ] },
    /* 34 */ Struct { size: size_of::<m::alter_partition_request::TopicData>(), least: &[(2, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(33)),
    ] },
    /* 35 */ Struct { size: size_of::<m::alter_partition_request::AlterPartitionRequest>(), least: &[(2, 14)], fields: &[
        f("broker_id", Int32),
        f("broker_epoch", Int64),
        a("topics", Struct(34)),
    ] },
    /* 36 */ Struct { size: size_of::<m::alter_partition_response::PartitionData>(), least: &[(2, 21)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("leader_id", Int32),
        f("leader_epoch", Int32),
        a("isr", Int32),
        f("leader_recovery_state", Int8),
        f("partition_epoch", Int32),
    ] },
    /* 37 */ Struct { size: size_of::<m::alter_partition_response::TopicData>(), least: &[(2, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(36)),
    ] },
    /* 38 */ Struct { size: size_of::<m::alter_partition_response::AlterPartitionResponse>(), least: &[(2, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        a("topics", Struct(37)),
    ] },
    /* 39 */ Struct { size: size_of::<m::alter_replica_log_dirs_request::AlterReplicaLogDirTopic>(), least: &[(1, 6), (2, 3)], fields: &[
        f("name", String),
        a("partitions", Int32),
    ] },
    /* 40 */ Struct { size: size_of::<m::alter_replica_log_dirs_request::AlterReplicaLogDir>(), least: &[(1, 6), (2, 3)], fields: &[
        f("path", String),
        a("topics", Struct(39)),
    ] },
    /* 41 */ Struct { size: size_of::<m::alter_replica_log_dirs_request::AlterReplicaLogDirsRequest>(), least: &[(1, 4), (2, 2)], fields: &[
        a("dirs", Struct(40)),
    ] },
    /* 42 */ Struct { size: size_of::<m::alter_replica_log_dirs_response::AlterReplicaLogDirPartitionResult>(), least: &[(1, 6), (2, 7)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
    ] },
    /* 43 */ Struct { size: size_of::<m::alter_replica_log_dirs_response::AlterReplicaLogDirTopicResult>(), least: &[(1, 6), (2, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Struct(42)),
    ] },
    /* 44 */ Struct { size: size_of::<m::alter_replica_log_dirs_response::AlterReplicaLogDirsResponse>(), least: &[(1, 8), (2, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("results", Struct(43)),
    ] },
    /* 45 */ Struct { size: size_of::<m::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestPartition>(), least: &[(0, 13)], fields: &[
        f("partition_index", Int32),
        f("start_offset", Int64),
    ] },
    /* 46 */ Struct { size: size_of::<m::alter_share_group_offsets_request::AlterShareGroupOffsetsRequestTopic>(), least: &[(0, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Struct(45)),
    ] },
    /* 47 */ Struct { size: size_of::<m::alter_share_group_offsets_request::AlterShareGroupOffsetsRequest>(), least: &[(0, 3)], fields: &[
        f("group_id", String),
        a("topics", Struct(46)),
    ] },
    /* 48 */ Struct { size: size_of::<m::alter_share_group_offsets_response::AlterShareGroupOffsetsResponsePartition>(), least: &[(0, 8)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 49 */ Struct { size: size_of::<m::alter_share_group_offsets_response::AlterShareGroupOffsetsResponseTopic>(), least: &[(0, 19)], fields: &[
        f("topic_name", String),
        f("topic_id", Uuid),
        a("partitions", Struct(48)),
    ] },
    /* 50 */ Struct { size: size_of::<m::alter_share_group_offsets_response::AlterShareGroupOffsetsResponse>(), least: &[(0, 9)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("responses", Struct(49)),
    ] },
    /* 51 */ Struct { size: size_of::<m::alter_user_scram_credentials_request::ScramCredentialDeletion>(), least: &[(0, 3)], fields: &[
        f("name", String),
        f("mechanism", Int8),
    ] },
    /* 52 */ Struct { size: size_of::<m::alter_user_scram_credentials_request::ScramCredentialUpsertion>(), least: &[(0, 9)], fields: &[
        f("name", String),
        f("mechanism", Int8),
        f("iterations", Int32),
        f("salt", Bytes),
        f("salted_password", Bytes),
    ] },
    /* 53 */ Struct { size: size_of::<m::alter_user_scram_credentials_request::AlterUserScramCredentialsRequest>(), least: &[(0, 3)], fields: &[
        a("deletions", Struct(51)),
        a("upsertions", Struct(52)),
    ] },
    /* 54 */ Struct { size: size_of::<m::alter_user_scram_credentials_response::AlterUserScramCredentialsResult>(), least: &[(0, 5)], fields: &[
        f("user", String),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 55 */ Struct { size: size_of::<m::alter_user_scram_credentials_response::AlterUserScramCredentialsResponse>(), least: &[(0, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("results", Struct(54)),
    ] },
    /* 56 */ Struct { size: size_of::<m::api_versions_request::ApiVersionsRequest>(), least: &[(0, 0), (3, 3)], fields: &[
        f("client_software_name", String).since(3),
        f("client_software_version", String).since(3),
    ] },
    /* 57 */ Struct { size: size_of::<m::api_versions_response::ApiVersion>(), least: &[(0, 6), (3, 7)], fields: &[
        f("api_key", Int16),
        f("min_version", Int16),
        f("max_version", Int16),
    ] },
    /* 58 */ Struct { size: size_of::<m::api_versions_response::SupportedFeatureKey>(), least: &[(0, 0), (3, 6)], fields: &[
        f("name", String).since(3),
        f("min_version", Int16).since(3),
        f("max_version", Int16).since(3),
    ] },
    /* 59 */ Struct { size: size_of::<m::api_versions_response::FinalizedFeatureKey>(), least: &[(0, 0), (3, 6)], fields: &[
        f("name", String).since(3),
        f("max_version_level", Int16).since(3),
        f("min_version_level", Int16).since(3),
    ] },
    /* 60 */ Struct { size: size_of::<m::api_versions_response::ApiVersionsResponse>(), least: &[(0, 6), (1, 10), (3, 8)], fields: &[
        f("error_code", Int16),
        a("api_keys", Struct(57)),
        f("throttle_time_ms", Int32).since(1),
        a("supported_features", Struct(58)).since(3).tag(0),
        f("finalized_features_epoch", Int64).since(3).tag(1),
        a("finalized_features", Struct(59)).since(3).tag(2),
        f("zk_migration_ready", Bool).since(3).tag(3),
    ] },
    /* 61 */ Struct { size: size_of::<m::assign_replicas_to_dirs_request::PartitionData>(), least: &[(0, 5)], fields: &[
        f("partition_index", Int32),
    ] },
    /* 62 */ Struct { size: size_of::<m::assign_replicas_to_dirs_request::TopicData>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(61)),
    ] },
    /* 63 */ Struct { size: size_of::<m::assign_replicas_to_dirs_request::DirectoryData>(), least: &[(0, 18)], fields: &[
        f("id", Uuid),
        a("topics", Struct(62)),
    ] },
    /* 64 */ Struct { size: size_of::<m::assign_replicas_to_dirs_request::AssignReplicasToDirsRequest>(), least: &[(0, 14)], fields: &[
        f("broker_id", Int32),
        f("broker_epoch", Int64),
        a("directories", Struct(63)),
    ] },
    /* 65 */ Struct { size: size_of::<m::assign_replicas_to_dirs_response::PartitionData>(), least: &[(0, 7)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
    ] },
    /* 66 */ Struct { size: size_of::<m::assign_replicas_to_dirs_response::TopicData>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(65)),
    ] },
    /* 67 */ Struct { size: size_of::<m::assign_replicas_to_dirs_response::DirectoryData>(), least: &[(0, 18)], fields: &[
        f("id", Uuid),
        a("topics", Struct(66)),
    ] },
    /* 68 */ Struct { size: size_of::<m::assign_replicas_to_dirs_response::AssignReplicasToDirsResponse>(), least: &[(0, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        a("directories", Struct(67)),
    ] },
    /* 69 */ Struct { size: size_of::<m::begin_quorum_epoch_request::PartitionData>(), least: &[(0, 12), (1, 29)], fields: &[
        f("partition_index", Int32),
        f("voter_directory_id", Uuid).since(1),
        f("leader_id", Int32),
        f("leader_epoch", Int32),
    ] },
    /* 70 */ Struct { size: size_of::<m::begin_quorum_epoch_request::TopicData>(), least: &[(0, 6), (1, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Struct(69)),
    ] },
    /* 71 */ Struct { size: size_of::<m::begin_quorum_epoch_request::LeaderEndpoint>(), least: &[(0, 0), (1, 5)], fields: &[
        f("name", String).since(1),
        f("host", String).since(1),
        f("port", Uint16).since(1),
    ] },
    /* 72 */ Struct { size: size_of::<m::begin_quorum_epoch_request::BeginQuorumEpochRequest>(), least: &[(0, 6), (1, 8)], fields: &[
        f("cluster_id", String).nullable(),
        f("voter_id", Int32).since(1),
        a("topics", Struct(70)),
        a("leader_endpoints", Struct(71)).since(1),
    ] },
    /* 73 */ Struct { size: size_of::<m::begin_quorum_epoch_response::PartitionData>(), least: &[(0, 14), (1, 15)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("leader_id", Int32),
        f("leader_epoch", Int32),
    ] },
    /* 74 */ Struct { size: size_of::<m::begin_quorum_epoch_response::TopicData>(), least: &[(0, 6), (1, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Struct(73)),
    ] },
    /* 75 */ Struct { size: size_of::<m::begin_quorum_epoch_response::NodeEndpoint>(), least: &[(0, 0), (1, 8)], fields: &[
        f("node_id", Int32).since(1),
        f("host", String).since(1),
        f("port", Uint16).since(1),
    ] },
    /* 76 */ Struct { size: size_of::<m::begin_quorum_epoch_response::BeginQuorumEpochResponse>(), least: &[(0, 6), (1, 4)], fields: &[
        f("error_code", Int16),
        a("topics", Struct(74)),
        a("node_endpoints", Struct(75)).since(1).tag(0),
    ] },
    /* 77 */ Struct { size: size_of::<m::broker_heartbeat_request::BrokerHeartbeatRequest>(), least: &[(0, 23)], fields: &[
        f("broker_id", Int32),
        f("broker_epoch", Int64),
        f("current_metadata_offset", Int64),
        f("want_fence", Bool),
        f("want_shut_down", Bool),
        a("offline_log_dirs", Uuid).since(1).tag(0),
    ] },
    /* 78 */ Struct { size: size_of::<m::broker_heartbeat_response::BrokerHeartbeatResponse>(), least: &[(0, 10)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("is_caught_up", Bool),
        f("is_fenced", Bool),
        f("should_shut_down", Bool),
    ] },
    /* 79 */ Struct { size: size_of::<m::broker_registration_request::Listener>(), least: &[(0, 7)], fields: &[
        f("name", String),
        f("host", String),
        f("port", Uint16),
        f("security_protocol", Int16),
    ] },
    /* 80 */ Struct { size: size_of::<m::broker_registration_request::Feature>(), least: &[(0, 6)], fields: &[
        f("name", String),
        f("min_supported_version", Int16),
        f("max_supported_version", Int16),
    ] },
    /* 81 */ Struct { size: size_of::<m::broker_registration_request::BrokerRegistrationRequest>(), least: &[(0, 25), (1, 26), (2, 27), (3, 35)], fields: &[
        f("broker_id", Int32),
        f("cluster_id", String),
        f("incarnation_id", Uuid),
        a("listeners", Struct(79)),
        a("features", Struct(80)),
        f("rack", String).nullable(),
        f("is_migrating_zk_broker", Bool).since(1),
        a("log_dirs", Uuid).since(2),
        f("previous_broker_epoch", Int64).since(3),
    ] },
    /* 82 */ Struct { size: size_of::<m::broker_registration_response::BrokerRegistrationResponse>(), least: &[(0, 15)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("broker_epoch", Int64),
    ] },
    /* 83 */ Struct { size: size_of::<m::consumer_group_describe_request::ConsumerGroupDescribeRequest>(), least: &[(0, 3)], fields: &[
        a("group_ids", String),
        f("include_authorized_operations", Bool),
    ] },
    /* 84 */ Struct { size: size_of::<m::consumer_group_describe_response::TopicPartitions>(), least: &[(0, 19)], fields: &[
        f("topic_id", Uuid),
        f("topic_name", String),
        a("partitions", Int32),
    ] },
    /* 85 */ Struct { size: size_of::<m::consumer_group_describe_response::Assignment>(), least: &[(0, 2)], fields: &[
        a("topic_partitions", Struct(84)),
    ] },
    /* 86 */ Struct { size: size_of::<m::consumer_group_describe_response::Member>(), least: &[(0, 16), (1, 17)], fields: &[
        f("member_id", String),
        f("instance_id", String).nullable(),
        f("rack_id", String).nullable(),
        f("member_epoch", Int32),
        f("client_id", String),
        f("client_host", String),
        a("subscribed_topic_names", String),
        f("subscribed_topic_regex", String).nullable(),
        f("assignment", Struct(85)),
        f("target_assignment", Struct(85)),
        f("member_type", Int8).since(1),
    ] },
    /* 87 */ Struct { size: size_of::<m::consumer_group_describe_response::DescribedGroup>(), least: &[(0, 20)], fields: &[
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("group_id", String),
        f("group_state", String),
        f("group_epoch", Int32),
        f("assignment_epoch", Int32),
        f("assignor_name", String),
        a("members", Struct(86)),
        f("authorized_operations", Int32),
    ] },
    /* 88 */ Struct { size: size_of::<m::consumer_group_describe_response::ConsumerGroupDescribeResponse>(), least: &[(0, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("groups", Struct(87)),
    ] },
    /* 89 */ Struct { size: size_of::<m::consumer_group_heartbeat_request::TopicPartitions>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Int32),
    ] },
    /* 90 */ Struct { size: size_of::<m::consumer_group_heartbeat_request::ConsumerGroupHeartbeatRequest>(), least: &[(0, 16), (1, 17)], fields: &[
        f("group_id", String),
        f("member_id", String),
        f("member_epoch", Int32),
        f("instance_id", String).nullable(),
        f("rack_id", String).nullable(),
        f("rebalance_timeout_ms", Int32),
        a("subscribed_topic_names", String).nullable(),
        f("subscribed_topic_regex", String).since(1).nullable(),
        f("server_assignor", String).nullable(),
        a("topic_partitions", Struct(89)).nullable(),
    ] },
    /* 91 */ Struct { size: size_of::<m::consumer_group_heartbeat_response::TopicPartitions>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Int32),
    ] },
    /* 92 */ Struct { size: size_of::<m::consumer_group_heartbeat_response::Assignment>(), least: &[(0, 2)], fields: &[
        a("topic_partitions", Struct(91)),
    ] },
    /* 93 */ Struct { size: size_of::<m::consumer_group_heartbeat_response::ConsumerGroupHeartbeatResponse>(), least: &[(0, 18)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("member_id", String).nullable(),
        f("member_epoch", Int32),
        f("heartbeat_interval_ms", Int32),
        f("assignment", Struct(92)).nullable(),
    ] },
    /* 94 */ Struct { size: size_of::<m::controller_registration_request::Listener>(), least: &[(0, 7)], fields: &[
        f("name", String),
        f("host", String),
        f("port", Uint16),
        f("security_protocol", Int16),
    ] },
    /* 95 */ Struct { size: size_of::<m::controller_registration_request::Feature>(), least: &[(0, 6)], fields: &[
        f("name", String),
        f("min_supported_version", Int16),
        f("max_supported_version", Int16),
    ] },
    /* 96 */ Struct { size: size_of::<m::controller_registration_request::ControllerRegistrationRequest>(), least: &[(0, 24)], fields: &[
        f("controller_id", Int32),
        f("incarnation_id", Uuid),
        f("zk_migration_ready", Bool),
        a("listeners", Struct(94)),
        a("features", Struct(95)),
    ] },
    /* 97 */ Struct { size: size_of::<m::controller_registration_response::ControllerRegistrationResponse>(), least: &[(0, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 98 */ Struct { size: size_of::<m::create_acls_request::AclCreation>(), least: &[(1, 10), (2, 8)], fields: &[
        f("resource_type", Int8),
        f("resource_name", String),
        f("resource_pattern_type", Int8),
        f("principal", String),
        f("host", String),
        f("operation", Int8),
        f("permission_type", Int8),
    ] },
    /* 99 */ Struct { size: size_of::<m::create_acls_request::CreateAclsRequest>(), least: &[(1, 4), (2, 2)], fields: &[
        a("creations", Struct(98)),
    ] },
    /* 100 */ Struct { size: size_of::<m::create_acls_response::AclCreationResult>(), least: &[(1, 4)], fields: &[
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 101 */ Struct { size: size_of::<m::create_acls_response::CreateAclsResponse>(), least: &[(1, 8), (2, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("results", Struct(100)),
    ] },
    /* 102 */ Struct { size: size_of::<m::create_delegation_token_request::CreatableRenewers>(), least: &[(1, 4), (2, 3)], fields: &[
        f("principal_type", String),
        f("principal_name", String),
    ] },
    /* 103 */ Struct { size: size_of::<m::create_delegation_token_request::CreateDelegationTokenRequest>(), least: &[(1, 12), (2, 10), (3, 12)], fields: &[
        f("owner_principal_type", String).since(3).nullable(),
        f("owner_principal_name", String).since(3).nullable(),
        a("renewers", Struct(102)),
        f("max_lifetime_ms", Int64),
    ] },
    /* 104 */ Struct { size: size_of::<m::create_delegation_token_response::CreateDelegationTokenResponse>(), least: &[(1, 40), (2, 35), (3, 37)], fields: &[
        f("error_code", Int16),
        f("principal_type", String),
        f("principal_name", String),
        f("token_requester_principal_type", String).since(3),
        f("token_requester_principal_name", String).since(3),
        f("issue_timestamp_ms", Int64),
        f("expiry_timestamp_ms", Int64),
        f("max_timestamp_ms", Int64),
        f("token_id", String),
        f("hmac", Bytes),
        f("throttle_time_ms", Int32),
    ] },
    /* 105 */ Struct { size: size_of::<m::create_partitions_request::CreatePartitionsAssignment>(), least: &[(0, 4), (2, 2)], fields: &[
        a("broker_ids", Int32),
    ] },
    /* 106 */ Struct { size: size_of::<m::create_partitions_request::CreatePartitionsTopic>(), least: &[(0, 10), (2, 7)], fields: &[
        f("name", String),
        f("count", Int32),
        a("assignments", Struct(105)).nullable(),
    ] },
    /* 107 */ Struct { size: size_of::<m::create_partitions_request::CreatePartitionsRequest>(), least: &[(0, 9), (2, 7)], fields: &[
        a("topics", Struct(106)),
        f("timeout_ms", Int32),
        f("validate_only", Bool),
    ] },
    /* 108 */ Struct { size: size_of::<m::create_partitions_response::CreatePartitionsTopicResult>(), least: &[(0, 6), (2, 5)], fields: &[
        f("name", String),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 109 */ Struct { size: size_of::<m::create_partitions_response::CreatePartitionsResponse>(), least: &[(0, 8), (2, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("results", Struct(108)),
    ] },
    /* 110 */ Struct { size: size_of::<m::create_topics_request::CreatableReplicaAssignment>(), least: &[(2, 8), (5, 6)], fields: &[
        f("partition_index", Int32),
        a("broker_ids", Int32),
    ] },
    /* 111 */ Struct { size: size_of::<m::create_topics_request::CreatableTopicConfig>(), least: &[(2, 4), (5, 3)], fields: &[
        f("name", String),
        f("value", String).nullable(),
    ] },
    /* 112 */ Struct { size: size_of::<m::create_topics_request::CreatableTopic>(), least: &[(2, 16), (5, 10)], fields: &[
        f("name", String),
        f("num_partitions", Int32),
        f("replication_factor", Int16),
        a("assignments", Struct(110)),
        a("configs", Struct(111)),
    ] },
    /* 113 */ Struct { size: size_of::<m::create_topics_request::CreateTopicsRequest>(), least: &[(2, 9), (5, 7)], fields: &[
        a("topics", Struct(112)),
        f("timeout_ms", Int32),
        f("validate_only", Bool),
    ] },
    /* 114 */ Struct { size: size_of::<m::create_topics_response::CreatableTopicConfigs>(), least: &[(2, 0), (5, 6)], fields: &[
        f("name", String).since(5),
        f("value", String).since(5).nullable(),
        f("read_only", Bool).since(5),
        f("config_source", Int8).since(5),
        f("is_sensitive", Bool).since(5),
    ] },
    /* 115 */ Struct { size: size_of::<m::create_topics_response::CreatableTopicResult>(), least: &[(2, 6), (5, 12), (7, 28)], fields: &[
        f("name", String),
        f("topic_id", Uuid).since(7),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("topic_config_error_code", Int16).since(5).tag(0),
        f("num_partitions", Int32).since(5),
        f("replication_factor", Int16).since(5),
        a("configs", Struct(114)).since(5).nullable(),
    ] },
    /* 116 */ Struct { size: size_of::<m::create_topics_response::CreateTopicsResponse>(), least: &[(2, 8), (5, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("topics", Struct(115)),
    ] },
    /* 117 */ Struct { size: size_of::<m::delete_acls_request::DeleteAclsFilter>(), least: &[(1, 10), (2, 8)], fields: &[
        f("resource_type_filter", Int8),
        f("resource_name_filter", String).nullable(),
        f("pattern_type_filter", Int8),
        f("principal_filter", String).nullable(),
        f("host_filter", String).nullable(),
        f("operation", Int8),
        f("permission_type", Int8),
    ] },
    /* 118 */ Struct { size: size_of::<m::delete_acls_request::DeleteAclsRequest>(), least: &[(1, 4), (2, 2)], fields: &[
        a("filters", Struct(117)),
    ] },
    /* 119 */ Struct { size: size_of::<m::delete_acls_response::DeleteAclsMatchingAcl>(), least: &[(1, 14), (2, 11)], fields: &[
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("resource_type", Int8),
        f("resource_name", String),
        f("pattern_type", Int8),
        f("principal", String),
        f("host", String),
        f("operation", Int8),
        f("permission_type", Int8),
    ] },
    /* 120 */ Struct { size: size_of::<m::delete_acls_response::DeleteAclsFilterResult>(), least: &[(1, 8), (2, 5)], fields: &[
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("matching_acls", Struct(119)),
    ] },
    /* 121 */ Struct { size: size_of::<m::delete_acls_response::DeleteAclsResponse>(), least: &[(1, 8), (2, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("filter_results", Struct(120)),
    ] },
    /* 122 */ Struct { size: size_of::<m::delete_groups_request::DeleteGroupsRequest>(), least: &[(0, 4), (2, 2)], fields: &[
        a("groups_names", String),
    ] },
    /* 123 */ Struct { size: size_of::<m::delete_groups_response::DeletableGroupResult>(), least: &[(0, 4)], fields: &[
        f("group_id", String),
        f("error_code", Int16),
    ] },
    /* 124 */ Struct { size: size_of::<m::delete_groups_response::DeleteGroupsResponse>(), least: &[(0, 8), (2, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("results", Struct(123)),
    ] },
    /* 125 */ Struct { size: size_of::<m::delete_records_request::DeleteRecordsPartition>(), least: &[(0, 12), (2, 13)], fields: &[
        f("partition_index", Int32),
        f("offset", Int64),
    ] },
    /* 126 */ Struct { size: size_of::<m::delete_records_request::DeleteRecordsTopic>(), least: &[(0, 6), (2, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(125)),
    ] },
    /* 127 */ Struct { size: size_of::<m::delete_records_request::DeleteRecordsRequest>(), least: &[(0, 8), (2, 6)], fields: &[
        a("topics", Struct(126)),
        f("timeout_ms", Int32),
    ] },
    /* 128 */ Struct { size: size_of::<m::delete_records_response::DeleteRecordsPartitionResult>(), least: &[(0, 14), (2, 15)], fields: &[
        f("partition_index", Int32),
        f("low_watermark", Int64),
        f("error_code", Int16),
    ] },
    /* 129 */ Struct { size: size_of::<m::delete_records_response::DeleteRecordsTopicResult>(), least: &[(0, 6), (2, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(128)),
    ] },
    /* 130 */ Struct { size: size_of::<m::delete_records_response::DeleteRecordsResponse>(), least: &[(0, 8), (2, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("topics", Struct(129)),
    ] },
    /* 131 */ Struct { size: size_of::<m::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic>(), least: &[(0, 2)], fields: &[
        f("topic_name", String),
    ] },
    /* 132 */ Struct { size: size_of::<m::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequest>(), least: &[(0, 3)], fields: &[
        f("group_id", String),
        a("topics", Struct(131)),
    ] },
    /* 133 */ Struct { size: size_of::<m::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponseTopic>(), least: &[(0, 21)], fields: &[
        f("topic_name", String),
        f("topic_id", Uuid),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 134 */ Struct { size: size_of::<m::delete_share_group_offsets_response::DeleteShareGroupOffsetsResponse>(), least: &[(0, 9)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("responses", Struct(133)),
    ] },
    /* 135 */ Struct { size: size_of::<m::delete_share_group_state_request::PartitionData>(), least: &[(0, 5)], fields: &[
        f("partition", Int32),
    ] },
    /* 136 */ Struct { size: size_of::<m::delete_share_group_state_request::DeleteStateData>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(135)),
    ] },
    /* 137 */ Struct { size: size_of::<m::delete_share_group_state_request::DeleteShareGroupStateRequest>(), least: &[(0, 3)], fields: &[
        f("group_id", String),
        a("topics", Struct(136)),
    ] },
    /* 138 */ Struct { size: size_of::<m::delete_share_group_state_response::PartitionResult>(), least: &[(0, 8)], fields: &[
        f("partition", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 139 */ Struct { size: size_of::<m::delete_share_group_state_response::DeleteStateResult>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(138)),
    ] },
    /* 140 */ Struct { size: size_of::<m::delete_share_group_state_response::DeleteShareGroupStateResponse>(), least: &[(0, 2)], fields: &[
        a("results", Struct(139)),
    ] },
    /* 141 */ Struct { size: size_of::<m::delete_topics_request::DeleteTopicState>(), least: &[(1, 0), (4, 1), (6, 18)], fields: &[
        f("name", String).since(6).nullable(),
        f("topic_id", Uuid).since(6),
    ] },
    /* 142 */ Struct { size: size_of::<m::delete_topics_request::DeleteTopicsRequest>(), least: &[(1, 8), (4, 6)], fields: &[
        a("topics", Struct(141)).since(6),
        a("topic_names", String).until(5),
        f("timeout_ms", Int32),
    ] },
    /* 143 */ Struct { size: size_of::<m::delete_topics_response::DeletableTopicResult>(), least: &[(1, 4), (5, 5), (6, 21)], fields: &[
        f("name", String).nullable_in(6, 6),
        f("topic_id", Uuid).since(6),
        f("error_code", Int16),
        f("error_message", String).since(5).nullable(),
    ] },
    /* 144 */ Struct { size: size_of::<m::delete_topics_response::DeleteTopicsResponse>(), least: &[(1, 8), (4, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("responses", Struct(143)),
    ] },
    /* 145 */ Struct { size: size_of::<m::describe_acls_request::DescribeAclsRequest>(), least: &[(1, 10), (2, 8)], fields: &[
        f("resource_type_filter", Int8),
        f("resource_name_filter", String).nullable(),
        f("pattern_type_filter", Int8),
        f("principal_filter", String).nullable(),
        f("host_filter", String).nullable(),
        f("operation", Int8),
        f("permission_type", Int8),
    ] },
    /* 146 */ Struct { size: size_of::<m::describe_acls_response::AclDescription>(), least: &[(1, 6), (2, 5)], fields: &[
        f("principal", String),
        f("host", String),
        f("operation", Int8),
        f("permission_type", Int8),
    ] },
    /* 147 */ Struct { size: size_of::<m::describe_acls_response::DescribeAclsResource>(), least: &[(1, 8), (2, 5)], fields: &[
        f("resource_type", Int8),
        f("resource_name", String),
        f("pattern_type", Int8),
        a("acls", Struct(146)),
    ] },
    /* 148 */ Struct { size: size_of::<m::describe_acls_response::DescribeAclsResponse>(), least: &[(1, 12), (2, 9)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("resources", Struct(147)),
    ] },
    /* 149 */ Struct { size: size_of::<m::describe_client_quotas_request::ComponentData>(), least: &[(0, 5), (1, 4)], fields: &[
        f("entity_type", String),
        f("match_type", Int8),
        f("match", String).nullable(),
    ] },
    /* 150 */ Struct { size: size_of::<m::describe_client_quotas_request::DescribeClientQuotasRequest>(), least: &[(0, 5), (1, 3)], fields: &[
        a("components", Struct(149)),
        f("strict", Bool),
    ] },
    /* 151 */ Struct { size: size_of::<m::describe_client_quotas_response::EntityData>(), least: &[(0, 4), (1, 3)], fields: &[
        f("entity_type", String),
        f("entity_name", String).nullable(),
    ] },
    /* 152 */ Struct { size: size_of::<m::describe_client_quotas_response::ValueData>(), least: &[(0, 10)], fields: &[
        f("key", String),
        f("value", Float64),
    ] },
    /* 153 */ Struct { size: size_of::<m::describe_client_quotas_response::EntryData>(), least: &[(0, 8), (1, 3)], fields: &[
        a("entity", Struct(151)),
        a("values", Struct(152)),
    ] },
    /* 154 */ Struct { size: size_of::<m::describe_client_quotas_response::DescribeClientQuotasResponse>(), least: &[(0, 12), (1, 9)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("entries", Struct(153)).nullable(),
    ] },
    /* 155 */ Struct { size: size_of::<m::describe_cluster_request::DescribeClusterRequest>(), least: &[(0, 2), (1, 3), (2, 4)], fields: &[
        f("include_cluster_authorized_operations", Bool),
        f("endpoint_type", Int8).since(1),
        f("include_fenced_brokers", Bool).since(2),
    ] },
    /* 156 */ Struct { size: size_of::<m::describe_cluster_response::DescribeClusterBroker>(), least: &[(0, 11), (2, 12)], fields: &[
        f("broker_id", Int32),
        f("host", String),
        f("port", Int32),
        f("rack", String).nullable(),
        f("is_fenced", Bool).since(2),
    ] },
    /* 157 */ Struct { size: size_of::<m::describe_cluster_response::DescribeClusterResponse>(), least: &[(0, 18), (1, 19)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("endpoint_type", Int8).since(1),
        f("cluster_id", String),
        f("controller_id", Int32),
        a("brokers", Struct(156)),
        f("cluster_authorized_operations", Int32),
    ] },
    /* 158 */ Struct { size: size_of::<m::describe_configs_request::DescribeConfigsResource>(), least: &[(1, 7), (4, 4)], fields: &[
        f("resource_type", Int8),
        f("resource_name", String),
        a("configuration_keys", String).nullable(),
    ] },
    /* 159 */ Struct { size: size_of::<m::describe_configs_request::DescribeConfigsRequest>(), least: &[(1, 5), (3, 6), (4, 4)], fields: &[
        a("resources", Struct(158)),
        f("include_synonyms", Bool),
        f("include_documentation", Bool).since(3),
    ] },
    /* 160 */ Struct { size: size_of::<m::describe_configs_response::DescribeConfigsSynonym>(), least: &[(1, 5), (4, 4)], fields: &[
        f("name", String),
        f("value", String).nullable(),
        f("source", Int8),
    ] },
    /* 161 */ Struct { size: size_of::<m::describe_configs_response::DescribeConfigsResourceResult>(), least: &[(1, 11), (3, 14), (4, 9)], fields: &[
        f("name", String),
        f("value", String).nullable(),
        f("read_only", Bool),
        f("config_source", Int8),
        f("is_sensitive", Bool),
        a("synonyms", Struct(160)),
        f("config_type", Int8).since(3),
        f("documentation", String).since(3).nullable(),
    ] },
    /* 162 */ Struct { size: size_of::<m::describe_configs_response::DescribeConfigsResult>(), least: &[(1, 11), (4, 7)], fields: &[
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("resource_type", Int8),
        f("resource_name", String),
        a("configs", Struct(161)),
    ] },
    /* 163 */ Struct { size: size_of::<m::describe_configs_response::DescribeConfigsResponse>(), least: &[(1, 8), (4, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("results", Struct(162)),
    ] },
    /* 164 */ Struct { size: size_of::<m::describe_delegation_token_request::DescribeDelegationTokenOwner>(), least: &[(1, 4), (2, 3)], fields: &[
        f("principal_type", String),
        f("principal_name", String),
    ] },
    /* 165 */ Struct { size: size_of::<m::describe_delegation_token_request::DescribeDelegationTokenRequest>(), least: &[(1, 4), (2, 2)], fields: &[
        a("owners", Struct(164)).nullable(),
    ] },
    /* 166 */ Struct { size: size_of::<m::describe_delegation_token_response::DescribedDelegationTokenRenewer>(), least: &[(1, 4), (2, 3)], fields: &[
        f("principal_type", String),
        f("principal_name", String),
    ] },
    /* 167 */ Struct { size: size_of::<m::describe_delegation_token_response::DescribedDelegationToken>(), least: &[(1, 38), (2, 30), (3, 32)], fields: &[
        f("principal_type", String),
        f("principal_name", String),
        f("token_requester_principal_type", String).since(3),
        f("token_requester_principal_name", String).since(3),
        f("issue_timestamp", Int64),
        f("expiry_timestamp", Int64),
        f("max_timestamp", Int64),
        f("token_id", String),
        f("hmac", Bytes),
        a("renewers", Struct(166)),
    ] },
    /* 168 */ Struct { size: size_of::<m::describe_delegation_token_response::DescribeDelegationTokenResponse>(), least: &[(1, 10), (2, 8)], fields: &[
        f("error_code", Int16),
        a("tokens", Struct(167)),
        f("throttle_time_ms", Int32),
    ] },
    /* 169 */ Struct { size: size_of::<m::describe_groups_request::DescribeGroupsRequest>(), least: &[(0, 4), (3, 5), (5, 3)], fields: &[
        a("groups", String),
        f("include_authorized_operations", Bool).since(3),
    ] },
    /* 170 */ Struct { size: size_of::<m::describe_groups_response::DescribedGroupMember>(), least: &[(0, 14), (4, 16), (5, 7)], fields: &[
        f("member_id", String),
        f("group_instance_id", String).since(4).nullable(),
        f("client_id", String),
        f("client_host", String),
        f("member_metadata", Bytes),
        f("member_assignment", Bytes),
    ] },
    /* 171 */ Struct { size: size_of::<m::describe_groups_response::DescribedGroup>(), least: &[(0, 14), (3, 18), (5, 12), (6, 13)], fields: &[
        f("error_code", Int16),
        f("error_message", String).since(6).nullable(),
        f("group_id", String),
        f("group_state", String),
        f("protocol_type", String),
        f("protocol_data", String),
        a("members", Struct(170)),
        f("authorized_operations", Int32).since(3),
    ] },
    /* 172 */ Struct { size: size_of::<m::describe_groups_response::DescribeGroupsResponse>(), least: &[(0, 4), (1, 8), (5, 6)], fields: &[
        f("throttle_time_ms", Int32).since(1),
        a("groups", Struct(171)),
    ] },
    /* 173 */ Struct { size: size_of::<m::describe_log_dirs_request::DescribableLogDirTopic>(), least: &[(1, 6), (2, 3)], fields: &[
        f("topic", String),
        a("partitions", Int32),
    ] },
    /* 174 */ Struct { size: size_of::<m::describe_log_dirs_request::DescribeLogDirsRequest>(), least: &[(1, 4), (2, 2)], fields: &[
        a("topics", Struct(173)).nullable(),
    ] },
    /* 175 */ Struct { size: size_of::<m::describe_log_dirs_response::DescribeLogDirsPartition>(), least: &[(1, 21), (2, 22)], fields: &[
        f("partition_index", Int32),
        f("partition_size", Int64),
        f("offset_lag", Int64),
        f("is_future_key", Bool),
    ] },
    /* 176 */ Struct { size: size_of::<m::describe_log_dirs_response::DescribeLogDirsTopic>(), least: &[(1, 6), (2, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(175)),
    ] },
    /* 177 */ Struct { size: size_of::<m::describe_log_dirs_response::DescribeLogDirsResult>(), least: &[(1, 8), (2, 5), (4, 21)], fields: &[
        f("error_code", Int16),
        f("log_dir", String),
        a("topics", Struct(176)),
        f("total_bytes", Int64).since(4),
        f("usable_bytes", Int64).since(4),
    ] },
    /* 178 */ Struct { size: size_of::<m::describe_log_dirs_response::DescribeLogDirsResponse>(), least: &[(1, 8), (2, 6), (3, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16).since(3),
        a("results", Struct(177)),
    ] },
    /* 179 */ Struct { size: size_of::<m::describe_producers_request::TopicRequest>(), least: &[(0, 3)], fields: &[
        f("name", String),
        a("partition_indexes", Int32),
    ] },
    /* 180 */ Struct { size: size_of::<m::describe_producers_request::DescribeProducersRequest>(), least: &[(0, 2)], fields: &[
        a("topics", Struct(179)),
    ] },
    /* 181 */ Struct { size: size_of::<m::describe_producers_response::ProducerState>(), least: &[(0, 37)], fields: &[
        f("producer_id", Int64),
        f("producer_epoch", Int32),
        f("last_sequence", Int32),
        f("last_timestamp", Int64),
        f("coordinator_epoch", Int32),
        f("current_txn_start_offset", Int64),
    ] },
    /* 182 */ Struct { size: size_of::<m::describe_producers_response::PartitionResponse>(), least: &[(0, 9)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("active_producers", Struct(181)),
    ] },
    /* 183 */ Struct { size: size_of::<m::describe_producers_response::TopicResponse>(), least: &[(0, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(182)),
    ] },
    /* 184 */ Struct { size: size_of::<m::describe_producers_response::DescribeProducersResponse>(), least: &[(0, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("topics", Struct(183)),
    ] },
    /* 185 */ Struct { size: size_of::<m::describe_quorum_request::PartitionData>(), least: &[(0, 5)], fields: &[
        f("partition_index", Int32),
    ] },
    /* 186 */ Struct { size: size_of::<m::describe_quorum_request::TopicData>(), least: &[(0, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Struct(185)),
    ] },
    /* 187 */ Struct { size: size_of::<m::describe_quorum_request::DescribeQuorumRequest>(), least: &[(0, 2)], fields: &[
        a("topics", Struct(186)),
    ] },
    /* 188 */ Struct { size: size_of::<m::describe_quorum_response::ReplicaState>(), least: &[(0, 13), (1, 29), (2, 45)], fields: &[
        f("replica_id", Int32),
        f("replica_directory_id", Uuid).since(2),
        f("log_end_offset", Int64),
        f("last_fetch_timestamp", Int64).since(1),
        f("last_caught_up_timestamp", Int64).since(1),
    ] },
    /* 189 */ Struct { size: size_of::<m::describe_quorum_response::PartitionData>(), least: &[(0, 25), (2, 26)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("error_message", String).since(2).nullable(),
        f("leader_id", Int32),
        f("leader_epoch", Int32),
        f("high_watermark", Int64),
        a("current_voters", Struct(188)),
        a("observers", Struct(188)),
    ] },
    /* 190 */ Struct { size: size_of::<m::describe_quorum_response::TopicData>(), least: &[(0, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Struct(189)),
    ] },
    /* 191 */ Struct { size: size_of::<m::describe_quorum_response::Listener>(), least: &[(0, 1), (2, 5)], fields: &[
        f("name", String).since(2),
        f("host", String).since(2),
        f("port", Uint16).since(2),
    ] },
    /* 192 */ Struct { size: size_of::<m::describe_quorum_response::Node>(), least: &[(0, 1), (2, 6)], fields: &[
        f("node_id", Int32).since(2),
        a("listeners", Struct(191)).since(2),
    ] },
    /* 193 */ Struct { size: size_of::<m::describe_quorum_response::DescribeQuorumResponse>(), least: &[(0, 4), (2, 6)], fields: &[
        f("error_code", Int16),
        f("error_message", String).since(2).nullable(),
        a("topics", Struct(190)),
        a("nodes", Struct(192)).since(2),
    ] },
    /* 194 */ Struct { size: size_of::<m::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestTopic>(), least: &[(0, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Int32),
    ] },
    /* 195 */ Struct { size: size_of::<m::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequestGroup>(), least: &[(0, 3)], fields: &[
        f("group_id", String),
        a("topics", Struct(194)).nullable(),
    ] },
    /* 196 */ Struct { size: size_of::<m::describe_share_group_offsets_request::DescribeShareGroupOffsetsRequest>(), least: &[(0, 2)], fields: &[
        a("groups", Struct(195)),
    ] },
    /* 197 */ Struct { size: size_of::<m::describe_share_group_offsets_response::DescribeShareGroupOffsetsResponsePartition>(), least: &[(0, 20)], fields: &[
        f("partition_index", Int32),
        f("start_offset", Int64),
        f("leader_epoch", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 198 */ Struct { size: size_of::<m::describe_share_group_offsets_response::DescribeShareGroupOffsetsResponseTopic>(), least: &[(0, 19)], fields: &[
        f("topic_name", String),
        f("topic_id", Uuid),
        a("partitions", Struct(197)),
    ] },
    /* 199 */ Struct { size: size_of::<m::describe_share_group_offsets_response::DescribeShareGroupOffsetsResponseGroup>(), least: &[(0, 6)], fields: &[
        f("group_id", String),
        a("topics", Struct(198)),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 200 */ Struct { size: size_of::<m::describe_share_group_offsets_response::DescribeShareGroupOffsetsResponse>(), least: &[(0, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("groups", Struct(199)),
    ] },
    /* 201 */ Struct { size: size_of::<m::describe_topic_partitions_request::TopicRequest>(), least: &[(0, 2)], fields: &[
        f("name", String),
    ] },
    /* 202 */ Struct { size: size_of::<m::describe_topic_partitions_request::Cursor>(), least: &[(0, 6)], fields: &[
        f("topic_name", String),
        f("partition_index", Int32),
    ] },
    /* 203 */ Struct { size: size_of::<m::describe_topic_partitions_request::DescribeTopicPartitionsRequest>(), least: &[(0, 7)], fields: &[
        a("topics", Struct(201)),
        f("response_partition_limit", Int32),
        f("cursor", Struct(202)).nullable(),
    ] },
    /* 204 */ Struct { size: size_of::<m::describe_topic_partitions_response::DescribeTopicPartitionsResponsePartition>(), least: &[(0, 20)], fields: &[
        f("error_code", Int16),
        f("partition_index", Int32),
        f("leader_id", Int32),
        f("leader_epoch", Int32),
        a("replica_nodes", Int32),
        a("isr_nodes", Int32),
        a("eligible_leader_replicas", Int32).nullable(),
        a("last_known_elr", Int32).nullable(),
        a("offline_replicas", Int32),
    ] },
    /* 205 */ Struct { size: size_of::<m::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic>(), least: &[(0, 26)], fields: &[
        f("error_code", Int16),
        f("name", String).nullable(),
        f("topic_id", Uuid),
        f("is_internal", Bool),
        a("partitions", Struct(204)),
        f("topic_authorized_operations", Int32),
    ] },
    /* 206 */ Struct { size: size_of::<m::describe_topic_partitions_response::Cursor>(), least: &[(0, 6)], fields: &[
        f("topic_name", String),
        f("partition_index", Int32),
    ] },
    /* 207 */ Struct { size: size_of::<m::describe_topic_partitions_response::DescribeTopicPartitionsResponse>(), least: &[(0, 7)], fields: &[
        f("throttle_time_ms", Int32),
        a("topics", Struct(205)),
        f("next_cursor", Struct(206)).nullable(),
    ] },
    /* 208 */ Struct { size: size_of::<m::describe_transactions_request::DescribeTransactionsRequest>(), least: &[(0, 2)], fields: &[
        a("transactional_ids", String),
    ] },
    /* 209 */ Struct { size: size_of::<m::describe_transactions_response::TopicData>(), least: &[(0, 3)], fields: &[
        f("topic", String),
        a("partitions", Int32),
    ] },
    /* 210 */ Struct { size: size_of::<m::describe_transactions_response::TransactionState>(), least: &[(0, 28)], fields: &[
        f("error_code", Int16),
        f("transactional_id", String),
        f("transaction_state", String),
        f("transaction_timeout_ms", Int32),
        f("transaction_start_time_ms", Int64),
        f("producer_id", Int64),
        f("producer_epoch", Int16),
        a("topics", Struct(209)),
    ] },
    /* 211 */ Struct { size: size_of::<m::describe_transactions_response::DescribeTransactionsResponse>(), least: &[(0, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("transaction_states", Struct(210)),
    ] },
    /* 212 */ Struct { size: size_of::<m::describe_user_scram_credentials_request::UserName>(), least: &[(0, 2)], fields: &[
        f("name", String),
    ] },
    /* 213 */ Struct { size: size_of::<m::describe_user_scram_credentials_request::DescribeUserScramCredentialsRequest>(), least: &[(0, 2)], fields: &[
        a("users", Struct(212)).nullable(),
    ] },
    /* 214 */ Struct { size: size_of::<m::describe_user_scram_credentials_response::CredentialInfo>(), least: &[(0, 6)], fields: &[
        f("mechanism", Int8),
        f("iterations", Int32),
    ] },
    /* 215 */ Struct { size: size_of::<m::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult>(), least: &[(0, 6)], fields: &[
        f("user", String),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("credential_infos", Struct(214)),
    ] },
    /* 216 */ Struct { size: size_of::<m::describe_user_scram_credentials_response::DescribeUserScramCredentialsResponse>(), least: &[(0, 9)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("results", Struct(215)),
    ] },
    /* 217 */ Struct { size: size_of::<m::elect_leaders_request::TopicPartitions>(), least: &[(0, 6), (2, 3)], fields: &[
        f("topic", String),
        a("partitions", Int32),
    ] },
    /* 218 */ Struct { size: size_of::<m::elect_leaders_request::ElectLeadersRequest>(), least: &[(0, 8), (1, 9), (2, 7)], fields: &[
        f("election_type", Int8).since(1),
        a("topic_partitions", Struct(217)).nullable(),
        f("timeout_ms", Int32),
    ] },
    /* 219 */ Struct { size: size_of::<m::elect_leaders_response::PartitionResult>(), least: &[(0, 8)], fields: &[
        f("partition_id", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 220 */ Struct { size: size_of::<m::elect_leaders_response::ReplicaElectionResult>(), least: &[(0, 6), (2, 3)], fields: &[
        f("topic", String),
        a("partition_result", Struct(219)),
    ] },
    /* 221 */ Struct { size: size_of::<m::elect_leaders_response::ElectLeadersResponse>(), least: &[(0, 8), (1, 10), (2, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16).since(1),
        a("replica_election_results", Struct(220)),
    ] },
    /* 222 */ Struct { size: size_of::<m::end_quorum_epoch_request::ReplicaInfo>(), least: &[(0, 0), (1, 21)], fields: &[
        f("candidate_id", Int32).since(1),
        f("candidate_directory_id", Uuid).since(1),
    ] },
    /* 223 */ Struct { size: size_of::<m::end_quorum_epoch_request::PartitionData>(), least: &[(0, 16), (1, 14)], fields: &[
        f("partition_index", Int32),
        f("leader_id", Int32),
        f("leader_epoch", Int32),
        a("preferred_successors", Int32).until(0),
        a("preferred_candidates", Struct(222)).since(1),
    ] },
    /* 224 */ Struct { size: size_of::<m::end_quorum_epoch_request::TopicData>(), least: &[(0, 6), (1, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Struct(223)),
    ] },
    /* 225 */ Struct { size: size_of::<m::end_quorum_epoch_request::LeaderEndpoint>(), least: &[(0, 0), (1, 5)], fields: &[
        f("name", String).since(1),
        f("host", String).since(1),
        f("port", Uint16).since(1),
    ] },
    /* 226 */ Struct { size: size_of::<m::end_quorum_epoch_request::EndQuorumEpochRequest>(), least: &[(0, 6), (1, 4)], fields: &[
        f("cluster_id", String).nullable(),
        a("topics", Struct(224)),
        a("leader_endpoints", Struct(225)).since(1),
    ] },
    /* 227 */ Struct { size: size_of::<m::end_quorum_epoch_response::PartitionData>(), least: &[(0, 14), (1, 15)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("leader_id", Int32),
        f("leader_epoch", Int32),
    ] },
    /* 228 */ Struct { size: size_of::<m::end_quorum_epoch_response::TopicData>(), least: &[(0, 6), (1, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Struct(227)),
    ] },
    /* 229 */ Struct { size: size_of::<m::end_quorum_epoch_response::NodeEndpoint>(), least: &[(0, 0), (1, 8)], fields: &[
        f("node_id", Int32).since(1),
        f("host", String).since(1),
        f("port", Uint16).since(1),
    ] },
    /* 230 */ Struct { size: size_of::<m::end_quorum_epoch_response::EndQuorumEpochResponse>(), least: &[(0, 6), (1, 4)], fields: &[
        f("error_code", Int16),
        a("topics", Struct(228)),
        a("node_endpoints", Struct(229)).since(1).tag(0),
    ] },
    /* 231 */ Struct { size: size_of::<m::end_txn_request::EndTxnRequest>(), least: &[(0, 13)], fields: &[
        f("transactional_id", String),
        f("producer_id", Int64),
        f("producer_epoch", Int16),
        f("committed", Bool),
    ] },
    /* 232 */ Struct { size: size_of::<m::end_txn_response::EndTxnResponse>(), least: &[(0, 6), (3, 7), (5, 17)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("producer_id", Int64).since(5),
        f("producer_epoch", Int16).since(5),
    ] },
    /* 233 */ Struct { size: size_of::<m::envelope_request::EnvelopeRequest>(), least: &[(0, 4)], fields: &[
        f("request_data", Bytes),
        f("request_principal", Bytes).nullable(),
        f("client_host_address", Bytes),
    ] },
    /* 234 */ Struct { size: size_of::<m::envelope_response::EnvelopeResponse>(), least: &[(0, 4)], fields: &[
        f("response_data", Bytes).nullable(),
        f("error_code", Int16),
    ] },
    /* 235 */ Struct { size: size_of::<m::expire_delegation_token_request::ExpireDelegationTokenRequest>(), least: &[(1, 12), (2, 10)], fields: &[
        f("hmac", Bytes),
        f("expiry_time_period_ms", Int64),
    ] },
    /* 236 */ Struct { size: size_of::<m::expire_delegation_token_response::ExpireDelegationTokenResponse>(), least: &[(1, 14), (2, 15)], fields: &[
        f("error_code", Int16),
        f("expiry_timestamp_ms", Int64),
        f("throttle_time_ms", Int32),
    ] },
    /* 237 */ Struct { size: size_of::<m::fetch_request::ReplicaState>(), least: &[(4, 0), (12, 1), (15, 13)], fields: &[
        f("replica_id", Int32).since(15),
        f("replica_epoch", Int64).since(15),
    ] },
    /* 238 */ Struct { size: size_of::<m::fetch_request::FetchPartition>(), least: &[(4, 16), (5, 24), (9, 28), (12, 33)], fields: &[
        f("partition", Int32),
        f("current_leader_epoch", Int32).since(9),
        f("fetch_offset", Int64),
        f("last_fetched_epoch", Int32).since(12),
        f("log_start_offset", Int64).since(5),
        f("partition_max_bytes", Int32),
        f("replica_directory_id", Uuid).since(17).tag(0),
        f("high_watermark", Int64).since(18).tag(1),
    ] },
    /* 239 */ Struct { size: size_of::<m::fetch_request::FetchTopic>(), least: &[(4, 6), (12, 3), (13, 18)], fields: &[
        f("topic", String).until(12),
        f("topic_id", Uuid).since(13),
        a("partitions", Struct(238)),
    ] },
    /* 240 */ Struct { size: size_of::<m::fetch_request::ForgottenTopic>(), least: &[(4, 0), (7, 6), (12, 3), (13, 18)], fields: &[
        f("topic", String).since(7).until(12),
        f("topic_id", Uuid).since(13),
        a("partitions", Int32).since(7),
    ] },
    /* 241 */ Struct { size: size_of::<m::fetch_request::FetchRequest>(), least: &[(4, 21), (7, 33), (11, 35), (12, 29), (15, 25)], fields: &[
        f("cluster_id", String).since(12).nullable().tag(0),
        f("replica_id", Int32).until(14),
        f("replica_state", Struct(237)).since(15).tag(1),
        f("max_wait_ms", Int32),
        f("min_bytes", Int32),
        f("max_bytes", Int32),
        f("isolation_level", Int8),
        f("session_id", Int32).since(7),
        f("session_epoch", Int32).since(7),
        a("topics", Struct(239)),
        a("forgotten_topics_data", Struct(240)).since(7),
        f("rack_id", String).since(11),
    ] },
    /* 242 */ Struct { size: size_of::<m::fetch_response::EpochEndOffset>(), least: &[(4, 0), (12, 13)], fields: &[
        f("epoch", Int32).since(12),
        f("end_offset", Int64).since(12),
    ] },
    /* 243 */ Struct { size: size_of::<m::fetch_response::LeaderIdAndEpoch>(), least: &[(4, 0), (12, 9)], fields: &[
        f("leader_id", Int32).since(12),
        f("leader_epoch", Int32).since(12),
    ] },
    /* 244 */ Struct { size: size_of::<m::fetch_response::SnapshotId>(), least: &[(4, 12), (12, 13)], fields: &[
        f("end_offset", Int64),
        f("epoch", Int32),
    ] },
    /* 245 */ Struct { size: size_of::<m::fetch_response::AbortedTransaction>(), least: &[(4, 16), (12, 17)], fields: &[
        f("producer_id", Int64),
        f("first_offset", Int64),
    ] },
    /* 246 */ Struct { size: size_of::<m::fetch_response::PartitionData>(), least: &[(4, 30), (5, 38), (11, 42), (12, 37)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("high_watermark", Int64),
        f("last_stable_offset", Int64),
        f("log_start_offset", Int64).since(5),
        f("diverging_epoch", Struct(242)).since(12).tag(0),
        f("current_leader", Struct(243)).since(12).tag(1),
        f("snapshot_id", Struct(244)).since(12).tag(2),
        a("aborted_transactions", Struct(245)).nullable(),
        f("preferred_read_replica", Int32).since(11),
        f("records", Records).nullable(),
    ] },
    /* 247 */ Struct { size: size_of::<m::fetch_response::FetchableTopicResponse>(), least: &[(4, 6), (12, 3), (13, 18)], fields: &[
        f("topic", String).until(12),
        f("topic_id", Uuid).since(13),
        a("partitions", Struct(246)),
    ] },
    /* 248 */ Struct { size: size_of::<m::fetch_response::NodeEndpoint>(), least: &[(4, 0), (12, 1), (16, 11)], fields: &[
        f("node_id", Int32).since(16),
        f("host", String).since(16),
        f("port", Int32).since(16),
        f("rack", String).since(16).nullable(),
    ] },
    /* 249 */ Struct { size: size_of::<m::fetch_response::FetchResponse>(), least: &[(4, 8), (7, 14), (12, 12)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16).since(7),
        f("session_id", Int32).since(7),
        a("responses", Struct(247)),
        a("node_endpoints", Struct(248)).since(16).tag(0),
    ] },
    /* 250 */ Struct { size: size_of::<m::fetch_snapshot_request::SnapshotId>(), least: &[(0, 13)], fields: &[
        f("end_offset", Int64),
        f("epoch", Int32),
    ] },
    /* 251 */ Struct { size: size_of::<m::fetch_snapshot_request::PartitionSnapshot>(), least: &[(0, 30)], fields: &[
        f("partition", Int32),
        f("current_leader_epoch", Int32),
        f("snapshot_id", Struct(250)),
        f("position", Int64),
        f("replica_directory_id", Uuid).since(1).tag(0),
    ] },
    /* 252 */ Struct { size: size_of::<m::fetch_snapshot_request::TopicSnapshot>(), least: &[(0, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(251)),
    ] },
    /* 253 */ Struct { size: size_of::<m::fetch_snapshot_request::FetchSnapshotRequest>(), least: &[(0, 10)], fields: &[
        f("cluster_id", String).nullable().tag(0),
        f("replica_id", Int32),
        f("max_bytes", Int32),
        a("topics", Struct(252)),
    ] },
    /* 254 */ Struct { size: size_of::<m::fetch_snapshot_response::SnapshotId>(), least: &[(0, 13)], fields: &[
        f("end_offset", Int64),
        f("epoch", Int32),
    ] },
    /* 255 */ Struct { size: size_of::<m::fetch_snapshot_response::LeaderIdAndEpoch>(), least: &[(0, 9)], fields: &[
        f("leader_id", Int32),
        f("leader_epoch", Int32),
    ] },
    /* 256 */ Struct { size: size_of::<m::fetch_snapshot_response::PartitionSnapshot>(), least: &[(0, 37)], fields: &[
        f("index", Int32),
        f("error_code", Int16),
        f("snapshot_id", Struct(254)),
        f("current_leader", Struct(255)).tag(0),
        f("size", Int64),
        f("position", Int64),
        f("unaligned_records", Records),
    ] },
    /* 257 */ Struct { size: size_of::<m::fetch_snapshot_response::TopicSnapshot>(), least: &[(0, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(256)),
    ] },
    /* 258 */ Struct { size: size_of::<m::fetch_snapshot_response::NodeEndpoint>(), least: &[(0, 1), (1, 8)], fields: &[
        f("node_id", Int32).since(1),
        f("host", String).since(1),
        f("port", Uint16).since(1),
    ] },
    /* 259 */ Struct { size: size_of::<m::fetch_snapshot_response::FetchSnapshotResponse>(), least: &[(0, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        a("topics", Struct(257)),
        a("node_endpoints", Struct(258)).since(1).tag(0),
    ] },
    /* 260 */ Struct { size: size_of::<m::find_coordinator_request::FindCoordinatorRequest>(), least: &[(0, 2), (1, 3)], fields: &[
        f("key", String).until(3),
        f("key_type", Int8).since(1),
        a("coordinator_keys", String).since(4),
    ] },
    /* 261 */ Struct { size: size_of::<m::find_coordinator_response::Coordinator>(), least: &[(0, 0), (3, 1), (4, 14)], fields: &[
        f("key", String).since(4),
        f("node_id", Int32).since(4),
        f("host", String).since(4),
        f("port", Int32).since(4),
        f("error_code", Int16).since(4),
        f("error_message", String).since(4).nullable(),
    ] },
    /* 262 */ Struct { size: size_of::<m::find_coordinator_response::FindCoordinatorResponse>(), least: &[(0, 12), (1, 18), (3, 17), (4, 6)], fields: &[
        f("throttle_time_ms", Int32).since(1),
        f("error_code", Int16).until(3),
        f("error_message", String).since(1).until(3).nullable(),
        f("node_id", Int32).until(3),
        f("host", String).until(3),
        f("port", Int32).until(3),
        a("coordinators", Struct(261)).since(4),
    ] },
    /* 263 */ Struct { size: size_of::<m::get_telemetry_subscriptions_request::GetTelemetrySubscriptionsRequest>(), least: &[(0, 17)], fields: &[
        f("client_instance_id", Uuid),
    ] },
    /* 264 */ Struct { size: size_of::<m::get_telemetry_subscriptions_response::GetTelemetrySubscriptionsResponse>(), least: &[(0, 38)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("client_instance_id", Uuid),
        f("subscription_id", Int32),
        a("accepted_compression_types", Int8),
        f("push_interval_ms", Int32),
        f("telemetry_max_bytes", Int32),
        f("delta_temporality", Bool),
        a("requested_metrics", String),
    ] },
    /* 265 */ Struct { size: size_of::<m::heartbeat_request::HeartbeatRequest>(), least: &[(0, 8), (3, 10), (4, 8)], fields: &[
        f("group_id", String),
        f("generation_id", Int32),
        f("member_id", String),
        f("group_instance_id", String).since(3).nullable(),
    ] },
    /* 266 */ Struct { size: size_of::<m::heartbeat_response::HeartbeatResponse>(), least: &[(0, 2), (1, 6), (4, 7)], fields: &[
        f("throttle_time_ms", Int32).since(1),
        f("error_code", Int16),
    ] },
    /* 267 */ Struct { size: size_of::<m::incremental_alter_configs_request::AlterableConfig>(), least: &[(0, 5), (1, 4)], fields: &[
        f("name", String),
        f("config_operation", Int8),
        f("value", String).nullable(),
    ] },
    /* 268 */ Struct { size: size_of::<m::incremental_alter_configs_request::AlterConfigsResource>(), least: &[(0, 7), (1, 4)], fields: &[
        f("resource_type", Int8),
        f("resource_name", String),
        a("configs", Struct(267)),
    ] },
    /* 269 */ Struct { size: size_of::<m::incremental_alter_configs_request::IncrementalAlterConfigsRequest>(), least: &[(0, 5), (1, 3)], fields: &[
        a("resources", Struct(268)),
        f("validate_only", Bool),
    ] },
    /* 270 */ Struct { size: size_of::<m::incremental_alter_configs_response::AlterConfigsResourceResponse>(), least: &[(0, 7), (1, 6)], fields: &[
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("resource_type", Int8),
        f("resource_name", String),
    ] },
    /* 271 */ Struct { size: size_of::<m::incremental_alter_configs_response::IncrementalAlterConfigsResponse>(), least: &[(0, 8), (1, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("responses", Struct(270)),
    ] },
    /* 272 */ Struct { size: size_of::<m::init_producer_id_request::InitProducerIdRequest>(), least: &[(0, 6), (3, 16)], fields: &[
        f("transactional_id", String).nullable(),
        f("transaction_timeout_ms", Int32),
        f("producer_id", Int64).since(3),
        f("producer_epoch", Int16).since(3),
    ] },
    /* 273 */ Struct { size: size_of::<m::init_producer_id_response::InitProducerIdResponse>(), least: &[(0, 16), (2, 17)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("producer_id", Int64),
        f("producer_epoch", Int16),
    ] },
    /* 274 */ Struct { size: size_of::<m::initialize_share_group_state_request::PartitionData>(), least: &[(0, 17)], fields: &[
        f("partition", Int32),
        f("state_epoch", Int32),
        f("start_offset", Int64),
    ] },
    /* 275 */ Struct { size: size_of::<m::initialize_share_group_state_request::InitializeStateData>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(274)),
    ] },
    /* 276 */ Struct { size: size_of::<m::initialize_share_group_state_request::InitializeShareGroupStateRequest>(), least: &[(0, 3)], fields: &[
        f("group_id", String),
        a("topics", Struct(275)),
    ] },
    /* 277 */ Struct { size: size_of::<m::initialize_share_group_state_response::PartitionResult>(), least: &[(0, 8)], fields: &[
        f("partition", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 278 */ Struct { size: size_of::<m::initialize_share_group_state_response::InitializeStateResult>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(277)),
    ] },
    /* 279 */ Struct { size: size_of::<m::initialize_share_group_state_response::InitializeShareGroupStateResponse>(), least: &[(0, 2)], fields: &[
        a("results", Struct(278)),
    ] },
    /* 280 */ Struct { size: size_of::<m::join_group_request::JoinGroupRequestProtocol>(), least: &[(0, 6), (6, 3)], fields: &[
        f("name", String),
        f("metadata", Bytes),
    ] },
    /* 281 */ Struct { size: size_of::<m::join_group_request::JoinGroupRequest>(), least: &[(0, 14), (1, 18), (5, 20), (6, 14), (8, 15)], fields: &[
        f("group_id", String),
        f("session_timeout_ms", Int32),
        f("rebalance_timeout_ms", Int32).since(1),
        f("member_id", String),
        f("group_instance_id", String).since(5).nullable(),
        f("protocol_type", String),
        a("protocols", Struct(280)),
        f("reason", String).since(8).nullable(),
    ] },
    /* 282 */ Struct { size: size_of::<m::join_group_response::JoinGroupResponseMember>(), least: &[(0, 6), (5, 8), (6, 4)], fields: &[
        f("member_id", String),
        f("group_instance_id", String).since(5).nullable(),
        f("metadata", Bytes),
    ] },
    /* 283 */ Struct { size: size_of::<m::join_group_response::JoinGroupResponse>(), least: &[(0, 16), (2, 20), (6, 15), (7, 16), (9, 17)], fields: &[
        f("throttle_time_ms", Int32).since(2),
        f("error_code", Int16),
        f("generation_id", Int32),
        f("protocol_type", String).since(7).nullable(),
        f("protocol_name", String).nullable_in(7, 9),
        f("leader", String),
        f("skip_assignment", Bool).since(9),
        f("member_id", String),
        a("members", Struct(282)),
    ] },
    /* 284 */ Struct { size: size_of::<m::leave_group_request::MemberIdentity>(), least: &[(0, 0), (3, 4), (4, 3), (5, 4)], fields: &[
        f("member_id", String).since(3),
        f("group_instance_id", String).since(3).nullable(),
        f("reason", String).since(5).nullable(),
    ] },
    /* 285 */ Struct { size: size_of::<m::leave_group_request::LeaveGroupRequest>(), least: &[(0, 4), (3, 6), (4, 3)], fields: &[
        f("group_id", String),
        f("member_id", String).until(2),
        a("members", Struct(284)).since(3),
    ] },
    /* 286 */ Struct { size: size_of::<m::leave_group_response::MemberResponse>(), least: &[(0, 0), (3, 6), (4, 5)], fields: &[
        f("member_id", String).since(3),
        f("group_instance_id", String).since(3).nullable(),
        f("error_code", Int16).since(3),
    ] },
    /* 287 */ Struct { size: size_of::<m::leave_group_response::LeaveGroupResponse>(), least: &[(0, 2), (1, 6), (3, 10), (4, 8)], fields: &[
        f("throttle_time_ms", Int32).since(1),
        f("error_code", Int16),
        a("members", Struct(286)).since(3),
    ] },
    /* 288 */ Struct { size: size_of::<m::list_config_resources_request::ListConfigResourcesRequest>(), least: &[(0, 1), (1, 2)], fields: &[
        a("resource_types", Int8).since(1),
    ] },
    /* 289 */ Struct { size: size_of::<m::list_config_resources_response::ConfigResource>(), least: &[(0, 2), (1, 3)], fields: &[
        f("resource_name", String),
        f("resource_type", Int8).since(1),
    ] },
    /* 290 */ Struct { size: size_of::<m::list_config_resources_response::ListConfigResourcesResponse>(), least: &[(0, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        a("config_resources", Struct(289)),
    ] },
    /* 291 */ Struct { size: size_of::<m::list_groups_request::ListGroupsRequest>(), least: &[(0, 0), (3, 1), (4, 2), (5, 3)], fields: &[
        a("states_filter", String).since(4),
        a("types_filter", String).since(5),
    ] },
    /* 292 */ Struct { size: size_of::<m::list_groups_response::ListedGroup>(), least: &[(0, 4), (3, 3), (4, 4), (5, 5)], fields: &[
        f("group_id", String),
        f("protocol_type", String),
        f("group_state", String).since(4),
        f("group_type", String).since(5),
    ] },
    /* 293 */ Struct { size: size_of::<m::list_groups_response::ListGroupsResponse>(), least: &[(0, 6), (1, 10), (3, 8)], fields: &[
        f("throttle_time_ms", Int32).since(1),
        f("error_code", Int16),
        a("groups", Struct(292)),
    ] },
    /* 294 */ Struct { size: size_of::<m::list_offsets_request::ListOffsetsPartition>(), least: &[(1, 12), (4, 16), (6, 17)], fields: &[
        f("partition_index", Int32),
        f("current_leader_epoch", Int32).since(4),
        f("timestamp", Int64),
    ] },
    /* 295 */ Struct { size: size_of::<m::list_offsets_request::ListOffsetsTopic>(), least: &[(1, 6), (6, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(294)),
    ] },
    /* 296 */ Struct { size: size_of::<m::list_offsets_request::ListOffsetsRequest>(), least: &[(1, 8), (2, 9), (6, 7), (10, 11)], fields: &[
        f("replica_id", Int32),
        f("isolation_level", Int8).since(2),
        a("topics", Struct(295)),
        f("timeout_ms", Int32).since(10),
    ] },
    /* 297 */ Struct { size: size_of::<m::list_offsets_response::ListOffsetsPartitionResponse>(), least: &[(1, 22), (4, 26), (6, 27)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("timestamp", Int64),
        f("offset", Int64),
        f("leader_epoch", Int32).since(4),
    ] },
    /* 298 */ Struct { size: size_of::<m::list_offsets_response::ListOffsetsTopicResponse>(), least: &[(1, 6), (6, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(297)),
    ] },
    /* 299 */ Struct { size: size_of::<m::list_offsets_response::ListOffsetsResponse>(), least: &[(1, 4), (2, 8), (6, 6)], fields: &[
        f("throttle_time_ms", Int32).since(2),
        a("topics", Struct(298)),
    ] },
    /* 300 */ Struct { size: size_of::<m::list_partition_reassignments_request::ListPartitionReassignmentsTopics>(), least: &[(0, 3)], fields: &[
        f("name", String),
        a("partition_indexes", Int32),
    ] },
    /* 301 */ Struct { size: size_of::<m::list_partition_reassignments_request::ListPartitionReassignmentsRequest>(), least: &[(0, 6)], fields: &[
        f("timeout_ms", Int32),
        a("topics", Struct(300)).nullable(),
    ] },
    /* 302 */ Struct { size: size_of::<m::list_partition_reassignments_response::OngoingPartitionReassignment>(), least: &[(0, 8)], fields: &[
        f("partition_index", Int32),
        a("replicas", Int32),
        a("adding_replicas", Int32),
        a("removing_replicas", Int32),
    ] },
    /* 303 */ Struct { size: size_of::<m::list_partition_reassignments_response::OngoingTopicReassignment>(), least: &[(0, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(302)),
    ] },
    /* 304 */ Struct { size: size_of::<m::list_partition_reassignments_response::ListPartitionReassignmentsResponse>(), least: &[(0, 9)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("topics", Struct(303)),
    ] },
    /* 305 */ Struct { size: size_of::<m::list_transactions_request::ListTransactionsRequest>(), least: &[(0, 3), (1, 11), (2, 12)], fields: &[
        a("state_filters", String),
        a("producer_id_filters", Int64),
        f("duration_filter", Int64).since(1),
        f("transactional_id_pattern", String).since(2).nullable(),
    ] },
    /* 306 */ Struct { size: size_of::<m::list_transactions_response::TransactionState>(), least: &[(0, 11)], fields: &[
        f("transactional_id", String),
        f("producer_id", Int64),
        f("transaction_state", String),
    ] },
    /* 307 */ Struct { size: size_of::<m::list_transactions_response::ListTransactionsResponse>(), least: &[(0, 9)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        a("unknown_state_filters", String),
        a("transaction_states", Struct(306)),
    ] },
    /* 308 */ Struct { size: size_of::<m::metadata_request::MetadataRequestTopic>(), least: &[(0, 2), (10, 18)], fields: &[
        f("topic_id", Uuid).since(10),
        f("name", String).nullable_in(10, 13),
    ] },
    /* 309 */ Struct { size: size_of::<m::metadata_request::MetadataRequest>(), least: &[(0, 4), (4, 5), (8, 7), (9, 5), (11, 4)], fields: &[
        a("topics", Struct(308)).nullable_in(1, 13),
        f("allow_auto_topic_creation", Bool).since(4),
        f("include_cluster_authorized_operations", Bool).since(8).until(10),
        f("include_topic_authorized_operations", Bool).since(8),
    ] },
    /* 310 */ Struct { size: size_of::<m::metadata_response::MetadataResponseBroker>(), least: &[(0, 10), (1, 12), (9, 11)], fields: &[
        f("node_id", Int32),
        f("host", String),
        f("port", Int32),
        f("rack", String).since(1).nullable(),
    ] },
    /* 311 */ Struct { size: size_of::<m::metadata_response::MetadataResponsePartition>(), least: &[(0, 18), (5, 22), (7, 26), (9, 18)], fields: &[
        f("error_code", Int16),
        f("partition_index", Int32),
        f("leader_id", Int32),
        f("leader_epoch", Int32).since(7),
        a("replica_nodes", Int32),
        a("isr_nodes", Int32),
        a("offline_replicas", Int32).since(5),
    ] },
    /* 312 */ Struct { size: size_of::<m::metadata_response::MetadataResponseTopic>(), least: &[(0, 8), (1, 9), (8, 13), (9, 10), (10, 26)], fields: &[
        f("error_code", Int16),
        f("name", String).nullable_in(12, 13),
        f("topic_id", Uuid).since(10),
        f("is_internal", Bool).since(1),
        a("partitions", Struct(311)),
        f("topic_authorized_operations", Int32).since(8),
    ] },
    /* 313 */ Struct { size: size_of::<m::metadata_response::MetadataResponse>(), least: &[(0, 8), (1, 12), (2, 14), (3, 18), (8, 22), (9, 16), (11, 12), (13, 14)], fields: &[
        f("throttle_time_ms", Int32).since(3),
        a("brokers", Struct(310)),
        f("cluster_id", String).since(2).nullable(),
        f("controller_id", Int32).since(1),
        a("topics", Struct(312)),
        f("cluster_authorized_operations", Int32).since(8).until(10),
        f("error_code", Int16).since(13),
    ] },
    /* 314 */ Struct { size: size_of::<m::offset_commit_request::OffsetCommitRequestPartition>(), least: &[(2, 14), (6, 18)], fields: &[
        f("partition_index", Int32),
        f("committed_offset", Int64),
        f("committed_leader_epoch", Int32).since(6),
        f("committed_metadata", String).nullable(),
    ] },
    /* 315 */ Struct { size: size_of::<m::offset_commit_request::OffsetCommitRequestTopic>(), least: &[(2, 6), (8, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(314)),
    ] },
    /* 316 */ Struct { size: size_of::<m::offset_commit_request::OffsetCommitRequest>(), least: &[(2, 20), (5, 12), (7, 14), (8, 9)], fields: &[
        f("group_id", String),
        f("generation_id_or_member_epoch", Int32),
        f("member_id", String),
        f("group_instance_id", String).since(7).nullable(),
        f("retention_time_ms", Int64).until(4),
        a("topics", Struct(315)),
    ] },
    /* 317 */ Struct { size: size_of::<m::offset_commit_response::OffsetCommitResponsePartition>(), least: &[(2, 6), (8, 7)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
    ] },
    /* 318 */ Struct { size: size_of::<m::offset_commit_response::OffsetCommitResponseTopic>(), least: &[(2, 6), (8, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(317)),
    ] },
    /* 319 */ Struct { size: size_of::<m::offset_commit_response::OffsetCommitResponse>(), least: &[(2, 4), (3, 8), (8, 6)], fields: &[
        f("throttle_time_ms", Int32).since(3),
        a("topics", Struct(318)),
    ] },
    /* 320 */ Struct { size: size_of::<m::offset_delete_request::OffsetDeleteRequestPartition>(), least: &[(0, 4)], fields: &[
        f("partition_index", Int32),
    ] },
    /* 321 */ Struct { size: size_of::<m::offset_delete_request::OffsetDeleteRequestTopic>(), least: &[(0, 6)], fields: &[
        f("name", String),
        a("partitions", Struct(320)),
    ] },
    /* 322 */ Struct { size: size_of::<m::offset_delete_request::OffsetDeleteRequest>(), least: &[(0, 6)], fields: &[
        f("group_id", String),
        a("topics", Struct(321)),
    ] },
    /* 323 */ Struct { size: size_of::<m::offset_delete_response::OffsetDeleteResponsePartition>(), least: &[(0, 6)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
    ] },
    /* 324 */ Struct { size: size_of::<m::offset_delete_response::OffsetDeleteResponseTopic>(), least: &[(0, 6)], fields: &[
        f("name", String),
        a("partitions", Struct(323)),
    ] },
    /* 325 */ Struct { size: size_of::<m::offset_delete_response::OffsetDeleteResponse>(), least: &[(0, 10)], fields: &[
        f("error_code", Int16),
        f("throttle_time_ms", Int32),
        a("topics", Struct(324)),
    ] },
    /* 326 */ Struct { size: size_of::<m::offset_fetch_request::OffsetFetchRequestTopic>(), least: &[(1, 6), (6, 3), (8, 1)], fields: &[
        f("name", String).until(7),
        a("partition_indexes", Int32).until(7),
    ] },
    /* 327 */ Struct { size: size_of::<m::offset_fetch_request::OffsetFetchRequestTopics>(), least: &[(1, 0), (6, 1), (8, 3)], fields: &[
        f("name", String).since(8),
        a("partition_indexes", Int32).since(8),
    ] },
    /* 328 */ Struct { size: size_of::<m::offset_fetch_request::OffsetFetchRequestGroup>(), least: &[(1, 0), (6, 1), (8, 3), (9, 8)], fields: &[
        f("group_id", String).since(8),
        f("member_id", String).since(9).nullable(),
        f("member_epoch", Int32).since(9),
        a("topics", Struct(327)).since(8).nullable(),
    ] },
    /* 329 */ Struct { size: size_of::<m::offset_fetch_request::OffsetFetchRequest>(), least: &[(1, 6), (6, 3), (7, 4), (8, 3)], fields: &[
        f("group_id", String).until(7),
        a("topics", Struct(326)).until(7).nullable_in(2, 7),
        a("groups", Struct(328)).since(8),
        f("require_stable", Bool).since(7),
    ] },
    /* 330 */ Struct { size: size_of::<m::offset_fetch_response::OffsetFetchResponsePartition>(), least: &[(1, 16), (5, 20), (8, 1)], fields: &[
        f("partition_index", Int32).until(7),
        f("committed_offset", Int64).until(7),
        f("committed_leader_epoch", Int32).since(5).until(7),
        f("metadata", String).until(7).nullable(),
        f("error_code", Int16).until(7),
    ] },
    /* 331 */ Struct { size: size_of::<m::offset_fetch_response::OffsetFetchResponseTopic>(), least: &[(1, 6), (6, 3), (8, 1)], fields: &[
        f("name", String).until(7),
        a("partitions", Struct(330)).until(7),
    ] },
    /* 332 */ Struct { size: size_of::<m::offset_fetch_response::OffsetFetchResponsePartitions>(), least: &[(1, 0), (6, 1), (8, 20)], fields: &[
        f("partition_index", Int32).since(8),
        f("committed_offset", Int64).since(8),
        f("committed_leader_epoch", Int32).since(8),
        f("metadata", String).since(8).nullable(),
        f("error_code", Int16).since(8),
    ] },
    /* 333 */ Struct { size: size_of::<m::offset_fetch_response::OffsetFetchResponseTopics>(), least: &[(1, 0), (6, 1), (8, 3)], fields: &[
        f("name", String).since(8),
        a("partitions", Struct(332)).since(8),
    ] },
    /* 334 */ Struct { size: size_of::<m::offset_fetch_response::OffsetFetchResponseGroup>(), least: &[(1, 0), (6, 1), (8, 5)], fields: &[
        f("group_id", String).since(8),
        a("topics", Struct(333)).since(8),
        f("error_code", Int16).since(8),
    ] },
    /* 335 */ Struct { size: size_of::<m::offset_fetch_response::OffsetFetchResponse>(), least: &[(1, 4), (2, 6), (3, 10), (6, 8), (8, 6)], fields: &[
        f("throttle_time_ms", Int32).since(3),
        a("topics", Struct(331)).until(7),
        f("error_code", Int16).since(2).until(7),
        a("groups", Struct(334)).since(8),
    ] },
    /* 336 */ Struct { size: size_of::<m::offset_for_leader_epoch_request::OffsetForLeaderPartition>(), least: &[(2, 12), (4, 13)], fields: &[
        f("partition", Int32),
        f("current_leader_epoch", Int32),
        f("leader_epoch", Int32),
    ] },
    /* 337 */ Struct { size: size_of::<m::offset_for_leader_epoch_request::OffsetForLeaderTopic>(), least: &[(2, 6), (4, 3)], fields: &[
        f("topic", String),
        a("partitions", Struct(336)),
    ] },
    /* 338 */ Struct { size: size_of::<m::offset_for_leader_epoch_request::OffsetForLeaderEpochRequest>(), least: &[(2, 4), (3, 8), (4, 6)], fields: &[
        f("replica_id", Int32).since(3),
        a("topics", Struct(337)),
    ] },
    /* 339 */ Struct { size: size_of::<m::offset_for_leader_epoch_response::EpochEndOffset>(), least: &[(2, 18), (4, 19)], fields: &[
        f("error_code", Int16),
        f("partition", Int32),
        f("leader_epoch", Int32),
        f("end_offset", Int64),
    ] },
    /* 340 */ Struct { size: size_of::<m::offset_for_leader_epoch_response::OffsetForLeaderTopicResult>(), least: &[(2, 6), (4, 3)], fields: &[
        f("topic", String),
        a("partitions", Struct(339)),
    ] },
    /* 341 */ Struct { size: size_of::<m::offset_for_leader_epoch_response::OffsetForLeaderEpochResponse>(), least: &[(2, 8), (4, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("topics", Struct(340)),
    ] },
    /* 342 */ Struct { size: size_of::<m::produce_request::PartitionProduceData>(), least: &[(3, 8), (9, 6)], fields: &[
        f("index", Int32),
        f("records", Records).nullable(),
    ] },
    /* 343 */ Struct { size: size_of::<m::produce_request::TopicProduceData>(), least: &[(3, 6), (9, 3), (13, 18)], fields: &[
        f("name", String).until(12),
        f("topic_id", Uuid).since(13),
        a("partition_data", Struct(342)),
    ] },
    /* 344 */ Struct { size: size_of::<m::produce_request::ProduceRequest>(), least: &[(3, 12), (9, 9)], fields: &[
        f("transactional_id", String).nullable(),
        f("acks", Int16),
        f("timeout_ms", Int32),
        a("topic_data", Struct(343)),
    ] },
    /* 345 */ Struct { size: size_of::<m::produce_response::BatchIndexAndErrorMessage>(), least: &[(3, 0), (8, 6)], fields: &[
        f("batch_index", Int32).since(8),
        f("batch_index_error_message", String).since(8).nullable(),
    ] },
    /* 346 */ Struct { size: size_of::<m::produce_response::LeaderIdAndEpoch>(), least: &[(3, 0), (9, 1), (10, 9)], fields: &[
        f("leader_id", Int32).since(10),
        f("leader_epoch", Int32).since(10),
    ] },
    /* 347 */ Struct { size: size_of::<m::produce_response::PartitionProduceResponse>(), least: &[(3, 22), (5, 30), (8, 36), (9, 33)], fields: &[
        f("index", Int32),
        f("error_code", Int16),
        f("base_offset", Int64),
        f("log_append_time_ms", Int64),
        f("log_start_offset", Int64).since(5),
        a("record_errors", Struct(345)).since(8),
        f("error_message", String).since(8).nullable(),
        f("current_leader", Struct(346)).since(10).tag(0),
    ] },
    /* 348 */ Struct { size: size_of::<m::produce_response::TopicProduceResponse>(), least: &[(3, 6), (9, 3), (13, 18)], fields: &[
        f("name", String).until(12),
        f("topic_id", Uuid).since(13),
        a("partition_responses", Struct(347)),
    ] },
    /* 349 */ Struct { size: size_of::<m::produce_response::NodeEndpoint>(), least: &[(3, 0), (9, 1), (10, 11)], fields: &[
        f("node_id", Int32).since(10),
        f("host", String).since(10),
        f("port", Int32).since(10),
        f("rack", String).since(10).nullable(),
    ] },
    /* 350 */ Struct { size: size_of::<m::produce_response::ProduceResponse>(), least: &[(3, 8), (9, 6)], fields: &[
        a("responses", Struct(348)),
        f("throttle_time_ms", Int32),
        a("node_endpoints", Struct(349)).since(10).tag(0),
    ] },
    /* 351 */ Struct { size: size_of::<m::push_telemetry_request::PushTelemetryRequest>(), least: &[(0, 24)], fields: &[
        f("client_instance_id", Uuid),
        f("subscription_id", Int32),
        f("terminating", Bool),
        f("compression_type", Int8),
        f("metrics", Bytes),
    ] },
    /* 352 */ Struct { size: size_of::<m::push_telemetry_response::PushTelemetryResponse>(), least: &[(0, 7)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
    ] },
    /* 353 */ Struct { size: size_of::<m::read_share_group_state_request::PartitionData>(), least: &[(0, 9)], fields: &[
        f("partition", Int32),
        f("leader_epoch", Int32),
    ] },
    /* 354 */ Struct { size: size_of::<m::read_share_group_state_request::ReadStateData>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(353)),
    ] },
    /* 355 */ Struct { size: size_of::<m::read_share_group_state_request::ReadShareGroupStateRequest>(), least: &[(0, 3)], fields: &[
        f("group_id", String),
        a("topics", Struct(354)),
    ] },
    /* 356 */ Struct { size: size_of::<m::read_share_group_state_response::StateBatch>(), least: &[(0, 20)], fields: &[
        f("first_offset", Int64),
        f("last_offset", Int64),
        f("delivery_state", Int8),
        f("delivery_count", Int16),
    ] },
    /* 357 */ Struct { size: size_of::<m::read_share_group_state_response::PartitionResult>(), least: &[(0, 21)], fields: &[
        f("partition", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("state_epoch", Int32),
        f("start_offset", Int64),
        a("state_batches", Struct(356)),
    ] },
    /* 358 */ Struct { size: size_of::<m::read_share_group_state_response::ReadStateResult>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(357)),
    ] },
    /* 359 */ Struct { size: size_of::<m::read_share_group_state_response::ReadShareGroupStateResponse>(), least: &[(0, 2)], fields: &[
        a("results", Struct(358)),
    ] },
    /* 360 */ Struct { size: size_of::<m::read_share_group_state_summary_request::PartitionData>(), least: &[(0, 9)], fields: &[
        f("partition", Int32),
        f("leader_epoch", Int32),
    ] },
    /* 361 */ Struct { size: size_of::<m::read_share_group_state_summary_request::ReadStateSummaryData>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(360)),
    ] },
    /* 362 */ Struct { size: size_of::<m::read_share_group_state_summary_request::ReadShareGroupStateSummaryRequest>(), least: &[(0, 3)], fields: &[
        f("group_id", String),
        a("topics", Struct(361)),
    ] },
    /* 363 */ Struct { size: size_of::<m::read_share_group_state_summary_response::PartitionResult>(), least: &[(0, 24)], fields: &[
        f("partition", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("state_epoch", Int32),
        f("leader_epoch", Int32),
        f("start_offset", Int64),
    ] },
    /* 364 */ Struct { size: size_of::<m::read_share_group_state_summary_response::ReadStateSummaryResult>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(363)),
    ] },
    /* 365 */ Struct { size: size_of::<m::read_share_group_state_summary_response::ReadShareGroupStateSummaryResponse>(), least: &[(0, 2)], fields: &[
        a("results", Struct(364)),
    ] },
    /* 366 */ Struct { size: size_of::<m::remove_raft_voter_request::RemoveRaftVoterRequest>(), least: &[(0, 22)], fields: &[
        f("cluster_id", String).nullable(),
        f("voter_id", Int32),
        f("voter_directory_id", Uuid),
    ] },
    /* 367 */ Struct { size: size_of::<m::remove_raft_voter_response::RemoveRaftVoterResponse>(), least: &[(0, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 368 */ Struct { size: size_of::<m::renew_delegation_token_request::RenewDelegationTokenRequest>(), least: &[(1, 12), (2, 10)], fields: &[
        f("hmac", Bytes),
        f("renew_period_ms", Int64),
    ] },
    /* 369 */ Struct { size: size_of::<m::renew_delegation_token_response::RenewDelegationTokenResponse>(), least: &[(1, 14), (2, 15)], fields: &[
        f("error_code", Int16),
        f("expiry_timestamp_ms", Int64),
        f("throttle_time_ms", Int32),
    ] },
    /* 370 */ Struct { size: size_of::<m::request_header::RequestHeader>(), least: &[(1, 10), (2, 11)], fields: &[
        f("request_api_key", Int16),
        f("request_api_version", Int16),
        f("correlation_id", Int32),
        f("client_id", String).nullable().old_form(),
    ] },
    /* 371 */ Struct { size: size_of::<m::response_header::ResponseHeader>(), least: &[(0, 4), (1, 5)], fields: &[
        f("correlation_id", Int32),
    ] },
    /* 372 */ Struct { size: size_of::<m::sasl_authenticate_request::SaslAuthenticateRequest>(), least: &[(0, 4), (2, 2)], fields: &[
        f("auth_bytes", Bytes),
    ] },
    /* 373 */ Struct { size: size_of::<m::sasl_authenticate_response::SaslAuthenticateResponse>(), least: &[(0, 8), (1, 16), (2, 13)], fields: &[
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("auth_bytes", Bytes),
        f("session_lifetime_ms", Int64).since(1),
    ] },
    /* 374 */ Struct { size: size_of::<m::sasl_handshake_request::SaslHandshakeRequest>(), least: &[(0, 2)], fields: &[
        f("mechanism", String),
    ] },
    /* 375 */ Struct { size: size_of::<m::sasl_handshake_response::SaslHandshakeResponse>(), least: &[(0, 6)], fields: &[
        f("error_code", Int16),
        a("mechanisms", String),
    ] },
    /* 376 */ Struct { size: size_of::<m::share_acknowledge_request::AcknowledgementBatch>(), least: &[(1, 18)], fields: &[
        f("first_offset", Int64),
        f("last_offset", Int64),
        a("acknowledge_types", Int8),
    ] },
    /* 377 */ Struct { size: size_of::<m::share_acknowledge_request::AcknowledgePartition>(), least: &[(1, 6)], fields: &[
        f("partition_index", Int32),
        a("acknowledgement_batches", Struct(376)),
    ] },
    /* 378 */ Struct { size: size_of::<m::share_acknowledge_request::AcknowledgeTopic>(), least: &[(1, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(377)),
    ] },
    /* 379 */ Struct { size: size_of::<m::share_acknowledge_request::ShareAcknowledgeRequest>(), least: &[(1, 8)], fields: &[
        f("group_id", String).nullable(),
        f("member_id", String).nullable(),
        f("share_session_epoch", Int32),
        a("topics", Struct(378)),
    ] },
    /* 380 */ Struct { size: size_of::<m::share_acknowledge_response::LeaderIdAndEpoch>(), least: &[(1, 9)], fields: &[
        f("leader_id", Int32),
        f("leader_epoch", Int32),
    ] },
    /* 381 */ Struct { size: size_of::<m::share_acknowledge_response::PartitionData>(), least: &[(1, 17)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("current_leader", Struct(380)),
    ] },
    /* 382 */ Struct { size: size_of::<m::share_acknowledge_response::ShareAcknowledgeTopicResponse>(), least: &[(1, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(381)),
    ] },
    /* 383 */ Struct { size: size_of::<m::share_acknowledge_response::NodeEndpoint>(), least: &[(1, 11)], fields: &[
        f("node_id", Int32),
        f("host", String),
        f("port", Int32),
        f("rack", String).nullable(),
    ] },
    /* 384 */ Struct { size: size_of::<m::share_acknowledge_response::ShareAcknowledgeResponse>(), least: &[(1, 10)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("responses", Struct(382)),
        a("node_endpoints", Struct(383)),
    ] },
    /* 385 */ Struct { size: size_of::<m::share_fetch_request::AcknowledgementBatch>(), least: &[(1, 18)], fields: &[
        f("first_offset", Int64),
        f("last_offset", Int64),
        a("acknowledge_types", Int8),
    ] },
    /* 386 */ Struct { size: size_of::<m::share_fetch_request::FetchPartition>(), least: &[(1, 6)], fields: &[
        f("partition_index", Int32),
        a("acknowledgement_batches", Struct(385)),
    ] },
    /* 387 */ Struct { size: size_of::<m::share_fetch_request::FetchTopic>(), least: &[(1, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(386)),
    ] },
    /* 388 */ Struct { size: size_of::<m::share_fetch_request::ForgottenTopic>(), least: &[(1, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Int32),
    ] },
    /* 389 */ Struct { size: size_of::<m::share_fetch_request::ShareFetchRequest>(), least: &[(1, 29)], fields: &[
        f("group_id", String).nullable(),
        f("member_id", String).nullable(),
        f("share_session_epoch", Int32),
        f("max_wait_ms", Int32),
        f("min_bytes", Int32),
        f("max_bytes", Int32),
        f("max_records", Int32),
        f("batch_size", Int32),
        a("topics", Struct(387)),
        a("forgotten_topics_data", Struct(388)),
    ] },
    /* 390 */ Struct { size: size_of::<m::share_fetch_response::LeaderIdAndEpoch>(), least: &[(1, 9)], fields: &[
        f("leader_id", Int32),
        f("leader_epoch", Int32),
    ] },
    /* 391 */ Struct { size: size_of::<m::share_fetch_response::AcquiredRecords>(), least: &[(1, 19)], fields: &[
        f("first_offset", Int64),
        f("last_offset", Int64),
        f("delivery_count", Int16),
    ] },
    /* 392 */ Struct { size: size_of::<m::share_fetch_response::PartitionData>(), least: &[(1, 22)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("acknowledge_error_code", Int16),
        f("acknowledge_error_message", String).nullable(),
        f("current_leader", Struct(390)),
        f("records", Records),
        a("acquired_records", Struct(391)),
    ] },
    /* 393 */ Struct { size: size_of::<m::share_fetch_response::ShareFetchableTopicResponse>(), least: &[(1, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(392)),
    ] },
    /* 394 */ Struct { size: size_of::<m::share_fetch_response::NodeEndpoint>(), least: &[(1, 11)], fields: &[
        f("node_id", Int32),
        f("host", String),
        f("port", Int32),
        f("rack", String).nullable(),
    ] },
    /* 395 */ Struct { size: size_of::<m::share_fetch_response::ShareFetchResponse>(), least: &[(1, 14)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("acquisition_lock_timeout_ms", Int32),
        a("responses", Struct(393)),
        a("node_endpoints", Struct(394)),
    ] },
    /* 396 */ Struct { size: size_of::<m::share_group_describe_request::ShareGroupDescribeRequest>(), least: &[(1, 3)], fields: &[
        a("group_ids", String),
        f("include_authorized_operations", Bool),
    ] },
    /* 397 */ Struct { size: size_of::<m::share_group_describe_response::TopicPartitions>(), least: &[(1, 19)], fields: &[
        f("topic_id", Uuid),
        f("topic_name", String),
        a("partitions", Int32),
    ] },
    /* 398 */ Struct { size: size_of::<m::share_group_describe_response::Assignment>(), least: &[(1, 2)], fields: &[
        a("topic_partitions", Struct(397)),
    ] },
    /* 399 */ Struct { size: size_of::<m::share_group_describe_response::Member>(), least: &[(1, 12)], fields: &[
        f("member_id", String),
        f("rack_id", String).nullable(),
        f("member_epoch", Int32),
        f("client_id", String),
        f("client_host", String),
        a("subscribed_topic_names", String),
        f("assignment", Struct(398)),
    ] },
    /* 400 */ Struct { size: size_of::<m::share_group_describe_response::DescribedGroup>(), least: &[(1, 20)], fields: &[
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("group_id", String),
        f("group_state", String),
        f("group_epoch", Int32),
        f("assignment_epoch", Int32),
        f("assignor_name", String),
        a("members", Struct(399)),
        f("authorized_operations", Int32),
    ] },
    /* 401 */ Struct { size: size_of::<m::share_group_describe_response::ShareGroupDescribeResponse>(), least: &[(1, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("groups", Struct(400)),
    ] },
    /* 402 */ Struct { size: size_of::<m::share_group_heartbeat_request::ShareGroupHeartbeatRequest>(), least: &[(1, 9)], fields: &[
        f("group_id", String),
        f("member_id", String),
        f("member_epoch", Int32),
        f("rack_id", String).nullable(),
        a("subscribed_topic_names", String).nullable(),
    ] },
    /* 403 */ Struct { size: size_of::<m::share_group_heartbeat_response::TopicPartitions>(), least: &[(1, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Int32),
    ] },
    /* 404 */ Struct { size: size_of::<m::share_group_heartbeat_response::Assignment>(), least: &[(1, 2)], fields: &[
        a("topic_partitions", Struct(403)),
    ] },
    /* 405 */ Struct { size: size_of::<m::share_group_heartbeat_response::ShareGroupHeartbeatResponse>(), least: &[(1, 18)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        f("member_id", String).nullable(),
        f("member_epoch", Int32),
        f("heartbeat_interval_ms", Int32),
        f("assignment", Struct(404)).nullable(),
    ] },
    /* 406 */ Struct { size: size_of::<m::sync_group_request::SyncGroupRequestAssignment>(), least: &[(0, 6), (4, 3)], fields: &[
        f("member_id", String),
        f("assignment", Bytes),
    ] },
    /* 407 */ Struct { size: size_of::<m::sync_group_request::SyncGroupRequest>(), least: &[(0, 12), (3, 14), (4, 9), (5, 11)], fields: &[
        f("group_id", String),
        f("generation_id", Int32),
        f("member_id", String),
        f("group_instance_id", String).since(3).nullable(),
        f("protocol_type", String).since(5).nullable(),
        f("protocol_name", String).since(5).nullable(),
        a("assignments", Struct(406)),
    ] },
    /* 408 */ Struct { size: size_of::<m::sync_group_response::SyncGroupResponse>(), least: &[(0, 6), (1, 10), (4, 8), (5, 10)], fields: &[
        f("throttle_time_ms", Int32).since(1),
        f("error_code", Int16),
        f("protocol_type", String).since(5).nullable(),
        f("protocol_name", String).since(5).nullable(),
        f("assignment", Bytes),
    ] },
    /* 409 */ Struct { size: size_of::<m::txn_offset_commit_request::TxnOffsetCommitRequestPartition>(), least: &[(0, 14), (2, 18)], fields: &[
        f("partition_index", Int32),
        f("committed_offset", Int64),
        f("committed_leader_epoch", Int32).since(2),
        f("committed_metadata", String).nullable(),
    ] },
    /* 410 */ Struct { size: size_of::<m::txn_offset_commit_request::TxnOffsetCommitRequestTopic>(), least: &[(0, 6), (3, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(409)),
    ] },
    /* 411 */ Struct { size: size_of::<m::txn_offset_commit_request::TxnOffsetCommitRequest>(), least: &[(0, 18), (3, 20)], fields: &[
        f("transactional_id", String),
        f("group_id", String),
        f("producer_id", Int64),
        f("producer_epoch", Int16),
        f("generation_id", Int32).since(3),
        f("member_id", String).since(3),
        f("group_instance_id", String).since(3).nullable(),
        a("topics", Struct(410)),
    ] },
    /* 412 */ Struct { size: size_of::<m::txn_offset_commit_response::TxnOffsetCommitResponsePartition>(), least: &[(0, 6), (3, 7)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
    ] },
    /* 413 */ Struct { size: size_of::<m::txn_offset_commit_response::TxnOffsetCommitResponseTopic>(), least: &[(0, 6), (3, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(412)),
    ] },
    /* 414 */ Struct { size: size_of::<m::txn_offset_commit_response::TxnOffsetCommitResponse>(), least: &[(0, 8), (3, 6)], fields: &[
        f("throttle_time_ms", Int32),
        a("topics", Struct(413)),
    ] },
    /* 415 */ Struct { size: size_of::<m::unregister_broker_request::UnregisterBrokerRequest>(), least: &[(0, 5)], fields: &[
        f("broker_id", Int32),
    ] },
    /* 416 */ Struct { size: size_of::<m::unregister_broker_response::UnregisterBrokerResponse>(), least: &[(0, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 417 */ Struct { size: size_of::<m::update_features_request::FeatureUpdateKey>(), least: &[(0, 5)], fields: &[
        f("feature", String),
        f("max_version_level", Int16),
        f("allow_downgrade", Bool).until(0),
        f("upgrade_type", Int8).since(1),
    ] },
    /* 418 */ Struct { size: size_of::<m::update_features_request::UpdateFeaturesRequest>(), least: &[(0, 6), (1, 7)], fields: &[
        f("timeout_ms", Int32),
        a("feature_updates", Struct(417)),
        f("validate_only", Bool).since(1),
    ] },
    /* 419 */ Struct { size: size_of::<m::update_features_response::UpdatableFeatureResult>(), least: &[(0, 5)], fields: &[
        f("feature", String),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 420 */ Struct { size: size_of::<m::update_features_response::UpdateFeaturesResponse>(), least: &[(0, 9), (2, 8)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
        a("results", Struct(419)).until(1),
    ] },
    /* 421 */ Struct { size: size_of::<m::update_raft_voter_request::Listener>(), least: &[(0, 5)], fields: &[
        f("name", String),
        f("host", String),
        f("port", Uint16),
    ] },
    /* 422 */ Struct { size: size_of::<m::update_raft_voter_request::KRaftVersionFeature>(), least: &[(0, 5)], fields: &[
        f("min_supported_version", Int16),
        f("max_supported_version", Int16),
    ] },
    /* 423 */ Struct { size: size_of::<m::update_raft_voter_request::UpdateRaftVoterRequest>(), least: &[(0, 32)], fields: &[
        f("cluster_id", String).nullable(),
        f("current_leader_epoch", Int32),
        f("voter_id", Int32),
        f("voter_directory_id", Uuid),
        a("listeners", Struct(421)),
        f("k_raft_version_feature", Struct(422)),
    ] },
    /* 424 */ Struct { size: size_of::<m::update_raft_voter_response::CurrentLeader>(), least: &[(0, 14)], fields: &[
        f("leader_id", Int32),
        f("leader_epoch", Int32),
        f("host", String),
        f("port", Int32),
    ] },
    /* 425 */ Struct { size: size_of::<m::update_raft_voter_response::UpdateRaftVoterResponse>(), least: &[(0, 7)], fields: &[
        f("throttle_time_ms", Int32),
        f("error_code", Int16),
        f("current_leader", Struct(424)).tag(0),
    ] },
    /* 426 */ Struct { size: size_of::<m::vote_request::PartitionData>(), least: &[(0, 25), (1, 57), (2, 58)], fields: &[
        f("partition_index", Int32),
        f("replica_epoch", Int32),
        f("replica_id", Int32),
        f("replica_directory_id", Uuid).since(1),
        f("voter_directory_id", Uuid).since(1),
        f("last_offset_epoch", Int32),
        f("last_offset", Int64),
        f("pre_vote", Bool).since(2),
    ] },
    /* 427 */ Struct { size: size_of::<m::vote_request::TopicData>(), least: &[(0, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Struct(426)),
    ] },
    /* 428 */ Struct { size: size_of::<m::vote_request::VoteRequest>(), least: &[(0, 3), (1, 7)], fields: &[
        f("cluster_id", String).nullable(),
        f("voter_id", Int32).since(1),
        a("topics", Struct(427)),
    ] },
    /* 429 */ Struct { size: size_of::<m::vote_response::PartitionData>(), least: &[(0, 16)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
        f("leader_id", Int32),
        f("leader_epoch", Int32),
        f("vote_granted", Bool),
    ] },
    /* 430 */ Struct { size: size_of::<m::vote_response::TopicData>(), least: &[(0, 3)], fields: &[
        f("topic_name", String),
        a("partitions", Struct(429)),
    ] },
    /* 431 */ Struct { size: size_of::<m::vote_response::NodeEndpoint>(), least: &[(0, 1), (1, 8)], fields: &[
        f("node_id", Int32).since(1),
        f("host", String).since(1),
        f("port", Uint16).since(1),
    ] },
    /* 432 */ Struct { size: size_of::<m::vote_response::VoteResponse>(), least: &[(0, 4)], fields: &[
        f("error_code", Int16),
        a("topics", Struct(430)),
        a("node_endpoints", Struct(431)).since(1).tag(0),
    ] },
    /* 433 */ Struct { size: size_of::<m::write_share_group_state_request::StateBatch>(), least: &[(0, 20)], fields: &[
        f("first_offset", Int64),
        f("last_offset", Int64),
        f("delivery_state", Int8),
        f("delivery_count", Int16),
    ] },
    /* 434 */ Struct { size: size_of::<m::write_share_group_state_request::PartitionData>(), least: &[(0, 22)], fields: &[
        f("partition", Int32),
        f("state_epoch", Int32),
        f("leader_epoch", Int32),
        f("start_offset", Int64),
        a("state_batches", Struct(433)),
    ] },
    /* 435 */ Struct { size: size_of::<m::write_share_group_state_request::WriteStateData>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(434)),
    ] },
    /* 436 */ Struct { size: size_of::<m::write_share_group_state_request::WriteShareGroupStateRequest>(), least: &[(0, 3)], fields: &[
        f("group_id", String),
        a("topics", Struct(435)),
    ] },
    /* 437 */ Struct { size: size_of::<m::write_share_group_state_response::PartitionResult>(), least: &[(0, 8)], fields: &[
        f("partition", Int32),
        f("error_code", Int16),
        f("error_message", String).nullable(),
    ] },
    /* 438 */ Struct { size: size_of::<m::write_share_group_state_response::WriteStateResult>(), least: &[(0, 18)], fields: &[
        f("topic_id", Uuid),
        a("partitions", Struct(437)),
    ] },
    /* 439 */ Struct { size: size_of::<m::write_share_group_state_response::WriteShareGroupStateResponse>(), least: &[(0, 2)], fields: &[
        a("results", Struct(438)),
    ] },
    /* 440 */ Struct { size: size_of::<m::write_txn_markers_request::WritableTxnMarkerTopic>(), least: &[(1, 3)], fields: &[
        f("name", String),
        a("partition_indexes", Int32),
    ] },
    /* 441 */ Struct { size: size_of::<m::write_txn_markers_request::WritableTxnMarker>(), least: &[(1, 17)], fields: &[
        f("producer_id", Int64),
        f("producer_epoch", Int16),
        f("transaction_result", Bool),
        a("topics", Struct(440)),
        f("coordinator_epoch", Int32),
    ] },
    /* 442 */ Struct { size: size_of::<m::write_txn_markers_request::WriteTxnMarkersRequest>(), least: &[(1, 2)], fields: &[
        a("markers", Struct(441)),
    ] },
    /* 443 */ Struct { size: size_of::<m::write_txn_markers_response::WritableTxnMarkerPartitionResult>(), least: &[(1, 7)], fields: &[
        f("partition_index", Int32),
        f("error_code", Int16),
    ] },
    /* 444 */ Struct { size: size_of::<m::write_txn_markers_response::WritableTxnMarkerTopicResult>(), least: &[(1, 3)], fields: &[
        f("name", String),
        a("partitions", Struct(443)),
    ] },
    /* 445 */ Struct { size: size_of::<m::write_txn_markers_response::WritableTxnMarkerResult>(), least: &[(1, 10)], fields: &[
        f("producer_id", Int64),
        a("topics", Struct(444)),
    ] },
    /* 446 */ Struct { size: size_of::<m::write_txn_markers_response::WriteTxnMarkersResponse>(), least: &[(1, 2)], fields: &[
        a("markers", Struct(445)),
    ] },
];
