//! The reference file, unchanged: only where the broker is and how fast time runs stands on the command line.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_testkit::kafka::Tools;

use super::bed::{PATIENCE, Row, beds, click, reference_file, row, totals};
use super::process::Tidemill;

/// Windows of 30 minutes close every second and a half.
const SPEED: &str = "1200";

#[test]
fn the_reference_file_counts_what_kafkas_producer_writes_and_kafkas_consumer_reads_the_results() {
    for bed in beds() {
        bed.create_topic("user_clicks", 3);
        bed.create_topic("top_users", 1);
        let job = Tidemill::run(&reference_file(), &["--bootstrap", bed.bootstrap, "--speed", SPEED]);
        job.says("reading topic user_clicks", PATIENCE);
        let clicks: Vec<String> = (0..70).map(|number| click(number % 7)).collect();
        let expected: BTreeMap<i64, i64> = (0..7).map(|user| (user, 10)).collect();
        let Some(tools) = Tools::find() else { return };

        let arguments = ["--bootstrap-server", bed.bootstrap, "--topic", "user_clicks"];
        let written =
            tools.run("org.apache.kafka.tools.ConsoleProducer", &arguments, &(clicks.join("\n") + "\n")).unwrap();
        assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
        // When all results are there is seen by our own consumer; what they are, by Kafka's.
        let ours = bed.read_until("top_users", |values| totals(values) == expected);
        let count = ours.len().to_string();
        let arguments = ["--bootstrap-server", bed.bootstrap, "--topic", "top_users", "--from-beginning"];
        let arguments: Vec<&str> = arguments.into_iter().chain(["--max-messages", &count]).collect();
        let read = tools.run("org.apache.kafka.tools.consumer.ConsoleConsumer", &arguments, "").unwrap();
        let read = String::from_utf8(read.stdout).unwrap();
        let values: Vec<&str> = read.lines().collect();
        assert_eq!(values, ours);
        assert_eq!(totals(&values), expected);
        for value in values {
            is_half_an_hour(&row(value));
        }

        job.terminate();
        let ended = job.ends(Duration::from_secs(3));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("70 records in"), "{}", ended.stderr);
    }
}

/// A window of the wall clock: it begins at the full or the half hour and is 30 minutes long.
fn is_half_an_hour(row: &Row) {
    let time = |text: &str| text.parse::<jiff::civil::DateTime>().unwrap();
    let (start, end) = (time(&row.window_start), time(&row.window_end));
    assert_eq!(start.minute() % 30, 0, "{row:?}");
    assert_eq!((start.second(), row.window_start.len()), (0, "2026-11-23 10:00:00".len()), "{row:?}");
    assert_eq!(end, start + jiff::SignedDuration::from_mins(30), "{row:?}");
}

#[test]
fn a_bounded_read_ends_by_itself_and_says_what_stays_open() {
    for bed in beds() {
        let bounded = (
            "'scan.startup.mode'='earliest-offset'",
            "'scan.startup.mode'='earliest-offset',
            'scan.bounded.mode'='latest-offset'",
        );
        let script = bed.script("bounded", 2, &[bounded]);
        bed.write(&script.source, 2, (0..10).map(click));
        // So slow that no window closes meanwhile.
        let job = Tidemill::run(&script.file, &["--bootstrap", bed.bootstrap, "--speed", "0.001"]);
        let ended = job.ends(Duration::from_secs(10));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stderr.contains("ended: 10 records in, 0 windows closed, 0 rows out"), "{}", ended.stderr);
        assert!(ended.stderr.contains("note: 10 records stayed in windows that are open"), "{}", ended.stderr);
    }
}

#[test]
fn two_statements_over_one_table_each_see_all_of_it() {
    for bed in beds() {
        bed.create_topic("twice_second", 1);
        let more = ";
            CREATE TABLE top_ten_minutes (user_id BIGINT, cnt BIGINT, window_start TIMESTAMP(3), window_end TIMESTAMP(3)) WITH
              ('connector'='kafka', 'topic'='twice_second', 'properties.bootstrap.servers'='localhost:9092',
               'format'='json');
            INSERT INTO top_ten_minutes SELECT user_id, COUNT(*) AS cnt, window_start, window_end
              FROM TABLE(TUMBLE(TABLE user_clicks, DESCRIPTOR(proctime), INTERVAL '10' MINUTE))
              GROUP BY window_start, window_end, user_id;";
        let group_by = "GROUP BY window_start, window_end, user_id;";
        let script = bed.script("twice", 2, &[(group_by, &(group_by.trim_end_matches(';').to_owned() + more))]);
        let job = Tidemill::run(&script.file, &["--bootstrap", bed.bootstrap, "--speed", SPEED]);
        bed.write(&script.source, 2, (0..40).map(|number| click(number % 4)));
        let expected: BTreeMap<i64, i64> = (0..4).map(|user| (user, 10)).collect();
        bed.read_until(&script.sink, |values| totals(values) == expected);
        bed.read_until("twice_second", |values| totals(values) == expected);
        drop(job);
    }
}
