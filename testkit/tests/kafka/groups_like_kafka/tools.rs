//! Kafka's own tools and consumers on both brokers, with what they print compared.

use tidemill_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use tidemill_protocol::messages::{ConsumerGroupHeartbeatRequest, TopicName};

use super::peer::{Peer, compare, group_id, text};
use crate::java::{java, run_tool};

const GROUPS: &str = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

impl Peer {
    /// Runs a tool and notes what it prints. Java's own warnings and the widths of columns are left out, and lines, which
    /// have no order, are sorted.
    fn tool(&mut self, class: &str, arguments: &[&str]) {
        let address = self.address().to_owned();
        let bootstrap = [&["--bootstrap-server", address.as_str()][..], arguments].concat();
        let output = run_tool(class, &bootstrap, "").unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<String> = printed
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .filter(|line| !line.is_empty() && !line.contains("WARN"))
            // Who listens where differs.
            .map(|line| line.replace(&address, "bootstrap"))
            .collect();
        lines.sort();
        self.push(format!("{arguments:?}: {:?} {lines:#?}", output.status.code()));
    }
}

#[test]
fn the_groups_tool_prints_the_same_of_a_consumer_group() {
    let Some(_) = java() else { return };
    let case = |peer: &mut Peer| {
        peer.prepare("t-group");
        peer.create_topic("t-read", 2);
        let id = peer.topic_id("t-read");
        let join = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group_id("t-group"))
            .with_member_id(text("member-one"))
            .with_rebalance_timeout_ms(5_000)
            .with_subscribed_topic_names(Some(vec![TopicName(text("t-read"))]))
            .with_topic_partitions(Some(Vec::new()));
        peer.ask("member", 1, &join);
        let owned = TopicPartitions::default().with_topic_id(id).with_partitions(vec![0, 1]);
        let beat = join.clone().with_member_epoch(2).with_topic_partitions(Some(vec![owned]));
        peer.ask("member", 1, &beat);
        let group = ["--group", "t-group"];
        let run = |peer: &mut Peer, arguments: &[&str]| peer.tool(GROUPS, &[arguments, &group].concat());
        run(peer, &["--describe", "--members", "--verbose"]);
        peer.ask("member", 1, &beat);
        run(peer, &["--describe", "--state"]);
        peer.ask("member", 1, &join.with_member_epoch(-1).with_topic_partitions(None));
        run(peer, &["--reset-offsets", "--to-earliest", "--topic", "t-read", "--execute"]);
        run(peer, &["--describe", "--offsets"]);
        run(peer, &["--delete-offsets", "--topic", "t-read:0"]);
        run(peer, &["--delete"]);
        run(peer, &["--describe"]);
    };
    compare(case);
}

#[test]
fn javas_consumers_read_in_a_consumer_group() {
    let Some(_) = java() else { return };
    compare(|peer| {
        peer.create_topic("t-java", 2);
        let address = peer.address().to_owned();
        let produce = ["--bootstrap-server", &address, "--topic", "t-java"];
        let written = run_tool("org.apache.kafka.tools.ConsoleProducer", &produce, "a\nb\nc\n").unwrap();
        assert!(written.status.success(), "{written:?}");
        let verify = ["--topic", "t-java", "--group-id", "t-java", "--group-protocol", "consumer"];
        let verify = [&verify[..], &["--max-messages", "3", "--reset-policy", "earliest"]].concat();
        let bootstrap = [&["--bootstrap-server", address.as_str()][..], &verify].concat();
        let output = run_tool("org.apache.kafka.tools.VerifiableConsumer", &bootstrap, "").unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let count = |what: &str| printed.lines().filter(|line| line.contains(what)).count();
        assert!(count("records_consumed") >= 1, "{printed}");
        peer.push(format!(
            "{:?} {} {}",
            output.status.code(),
            // In one go or in several, as it happens.
            count("partitions_assigned") >= 1,
            count("shutdown_complete")
        ));
        let console = ["--topic", "t-java", "--group", "t-java-console", "--from-beginning", "--max-messages", "3"];
        let console = [&console[..], &["--command-property", "group.protocol=consumer"]].concat();
        peer.tool("org.apache.kafka.tools.consumer.ConsoleConsumer", &console);
        let list = ["--list", "--state"];
        let listed = [&["--bootstrap-server", address.as_str()][..], &list].concat();
        let output = run_tool(GROUPS, &listed, "").unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        let mut lines: Vec<_> = printed.lines().filter(|line| line.starts_with("t-java")).map(str::trim).collect();
        lines.sort_unstable();
        peer.push(format!("{lines:?}"));
    });
}
