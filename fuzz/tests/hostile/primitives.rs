use tidemill_protocol::ApiKey;

use super::*;

/// What ended a process, took gigabytes or was read as something else by structs that no guard stood before.
#[test]
fn counts_that_ended_processes() {
    let metadata = Road::Request(ApiKey::METADATA, 0);
    survive(vec![
        line("F1: 206 GB, Metadata v0", metadata, hex("7fffffff"), Refused("topics", "2147483647 elements")),
        line("F1: 8 GB, Metadata v0", metadata, hex("05004005"), Refused("topics", "83902469 elements")),
        line(
            "F1: 12.9 GB, Fetch v4",
            Road::Response(ApiKey::FETCH, 4),
            hex("00000000 0804ffff"),
            Refused("responses", "134545407 elements"),
        ),
        line(
            "F1: 12.9 GB, Fetch v4, read by hand",
            Road::Fetch(4),
            hex("00000000 0804ffff"),
            Refused("responses", "134545407 elements"),
        ),
        line(
            "F1: 14 GB, ApiVersions v1",
            Road::Response(ApiKey::API_VERSIONS, 1),
            hex("1e1a 1a1e1a1a"),
            Refused("api_keys", "438180378 elements"),
        ),
        line(
            "F1: 2 GB, JoinGroup v0",
            Road::Response(ApiKey::JOIN_GROUP, 0),
            hex("1500 00000115 0000 0000 0000 00fffcff"),
            Refused("members", "16776447 elements"),
        ),
        line(
            "F1: 2.5 GB, DescribeConfigs v1",
            Road::Response(ApiKey::DESCRIBE_CONFIGS, 1),
            hex("00003bff 01416f00"),
            Refused("results", "21065472 elements"),
        ),
        line(
            "F2: 412 GB, Fetch v12",
            Road::Response(ApiKey::FETCH, 12),
            hex("00000000 0000 00000000 ffffffff0f"),
            Refused("responses", "4294967294 elements"),
        ),
        line(
            "F2: 412 GB, Fetch v12, read by hand",
            Road::Fetch(12),
            hex("00000000 0000 00000000 ffffffff0f"),
            Refused("responses", "4294967294 elements"),
        ),
        line(
            "F2: 2.9 GB, FindCoordinator v6",
            Road::Response(ApiKey::FIND_COORDINATOR, 6),
            hex("888f8f88 ffffff09"),
            Refused("coordinators", "20971518 elements"),
        ),
    ]);
}

#[test]
fn primitives() {
    let heartbeat = Road::Request(ApiKey::HEARTBEAT, 0);
    let flexible = Road::Request(ApiKey::METADATA, 9);
    // No fields but tagged ones.
    let tags = Road::Request(ApiKey::LIST_GROUPS, 3);
    let out_of_order = Refused("tagged fields", "repeated or out of order");
    // One topic, one partition, and replicas without end.
    let nested = [
        &hex("00000000 00000001 0000 0001 61 00000001 0000 00000000 00000000")[..],
        &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0],
    ];
    let crowd = |count: i32| [&count.to_be_bytes()[..], &vec![0; 2 * usize::try_from(count).unwrap()]].concat();
    survive(vec![
        line(
            "a count of 2^31 - 1 and no bytes",
            Road::Request(ApiKey::METADATA, 1),
            hex("7fffffff"),
            Refused("topics", "2147483647 elements"),
        ),
        line(
            "a count of -2",
            Road::Request(ApiKey::METADATA, 1),
            hex("fffffffe"),
            Refused("topics", "negative length"),
        ),
        line(
            "counts that multiply",
            Road::Response(ApiKey::METADATA, 0),
            nested.concat(),
            Refused("topics[0].partitions[0].replica_nodes", "2147483647 elements"),
        ),
        line(
            "200,000 empty names",
            Road::Request(ApiKey::METADATA, 0),
            crowd(200_000),
            Refused("topics", "more than 6400064 bytes of memory"),
        ),
        line("10,000 empty names", Road::Request(ApiKey::METADATA, 0), crowd(10_000), Read(1)),
        line("a string of length -2", heartbeat, hex("fffe"), Refused("group_id", "negative length")),
        line("null where there may be none", heartbeat, hex("ffff 0000"), Refused("group_id", "null")),
        line(
            "a null array where there may be none",
            Road::Request(ApiKey::METADATA, 0),
            hex("ffffffff"),
            Refused("topics", "null"),
        ),
        line(
            "a string longer than the frame",
            heartbeat,
            hex("0009 67"),
            Refused("group_id", "9 bytes, and 1 are left"),
        ),
        line("a string that is not UTF-8", heartbeat, hex("0001 ff"), Refused("group_id", "UTF-8")),
        line("an end within a number", heartbeat, hex("0000 0000"), Refused("generation_id", "the bytes end")),
        line(
            "F9: a varint of more than 32 bits",
            flexible,
            hex("8180808070 00000000"),
            Refused("topics", "more than 32 bits"),
        ),
        line("F9: a varint of five continuation bytes", flexible, [0x80; 5], Refused("topics", "more than five bytes")),
        line("F9: a varint of ten continuation bytes", flexible, [0x80; 10], Refused("topics", "more than five bytes")),
        line(
            "F9: a varint in more bytes than it needs",
            flexible,
            hex("8000 00000000"),
            Refused("topics", "over-long"),
        ),
        line("F10: a tag of 2^31 or more", tags, hex("01 ffffffff0f 00"), Refused("tagged fields", "31 bits")),
        line("F10: a tag twice", tags, hex("02 0900 0900"), out_of_order),
        line("F10: tags that descend", tags, hex("02 0900 0800"), out_of_order),
        line(
            "F10: a tag longer than the frame",
            tags,
            hex("01 09 04 0102"),
            Refused("tagged fields", "longer than what is left"),
        ),
        line(
            "F10: a tag shorter than its value",
            Road::Response(ApiKey::FETCH, 16),
            hex("00000000 0000 00000000 01 01 00 02 02 00 00000000"),
            Refused("node_endpoints", "1 bytes are left"),
        ),
        line(
            "F10: a tag longer than its value",
            Road::Fetch(16),
            hex("00000000 0000 00000000 01 01 00 02 01 00"),
            Refused("node_endpoints", "shorter than its size"),
        ),
        line("F10: 2^32 - 1 tags", tags, hex("ffffffff0f"), Refused("tagged fields", "the bytes end")),
        line(
            "an API and a version in ApiVersions that nobody knows",
            Road::Response(ApiKey::API_VERSIONS, 0),
            hex("0000 00000002 7fff 0000 7fff 0003 fffe 7ffe"),
            Read(1),
        ),
        line(
            "a version that nobody knows",
            Road::Request(ApiKey::METADATA, i16::MAX),
            [],
            Refused("", "a version that is not known"),
        ),
        line(
            "a version below all",
            Road::Response(ApiKey::METADATA, 99),
            [],
            Refused("", "a version that is not known"),
        ),
    ]);
}
