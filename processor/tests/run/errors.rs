//! The screens of what goes wrong.

use std::time::Duration;

use expect_test::{Expect, expect};

use super::bed::{beds, click, reference_file};
use super::process::Tidemill;

/// What a run says, with the addresses and names of this test taken out.
fn screen(job: Tidemill, replace: &[(&str, &str)], code: i32, expected: Expect) {
    let ended = job.ends(Duration::from_secs(20));
    assert_eq!(ended.code, Some(code), "{}", ended.stderr);
    // Whether it is seen to read before it fails is a matter of moments.
    let lines =
        ended.stderr.lines().filter(|line| !line.starts_with("reading topic") || line.contains("writing topic"));
    let mut text: String = lines.flat_map(|line| [line, "\n"]).collect();
    for (from, to) in replace {
        text = text.replace(from, to);
    }
    expected.assert_eq(&text);
}

#[test]
fn a_broker_that_is_not_there() {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let job = Tidemill::run(&reference_file(), &["--bootstrap", &address, "--start-timeout", "1"]);
    screen(
        job,
        &[(&address, "HOST:PORT")],
        1,
        expect![[r#"
        reading topic user_clicks at HOST:PORT (table user_clicks), writing topic top_users at HOST:PORT (table top_users)
        error: no broker answered within 1 s
          address: HOST:PORT
          what: connecting to HOST:PORT: Connection refused (os error 111); is the broker running there? The address comes from bootstrap.servers
          change: start the broker, or give its address: --bootstrap HOST:PORT
    "#]],
    );
}

#[test]
fn what_listens_there_is_no_broker() {
    let (address, _held) = listen(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    // Both tables are asked about at once: which of them is told of first is a matter of moments.
    let one_topic = std::fs::read_to_string(reference_file()).unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("job.sql");
    std::fs::write(&file, one_topic.replace("'topic'='user_clicks'", "'topic'='top_users'")).unwrap();
    let job = Tidemill::run(&file, &["--bootstrap", &address]);
    screen(
        job,
        &[
            (&address, "HOST:PORT"),
            ("table user_clicks failed", "TABLE failed"),
            ("table top_users failed", "TABLE failed"),
        ],
        1,
        expect![[r#"
            reading topic top_users at HOST:PORT (table user_clicks), writing topic top_users at HOST:PORT (table top_users)
            error: asking for topic top_users of TABLE failed
              broker: HOST:PORT
              what: connecting to HOST:PORT; frame length at byte 0: the frame is 1213486160 bytes long, the limit is 524288; the other side speaks HTTP: is this the port of a Kafka listener?; the address comes from bootstrap.servers
              change: the address, if it is not the plaintext listener of a Kafka broker: --bootstrap HOST:PORT
        "#]],
    );
}

#[test]
fn what_listens_there_says_nothing() {
    let (address, _held) = listen(b"");
    let job = Tidemill::run(&reference_file(), &["--bootstrap", &address, "--start-timeout", "1"]);
    screen(
        job,
        &[(&address, "HOST:PORT")],
        1,
        expect![[r#"
        reading topic user_clicks at HOST:PORT (table user_clicks), writing topic top_users at HOST:PORT (table top_users)
        error: no broker answered within 1 s
          address: HOST:PORT
          what: nothing was refused and nothing answered: a firewall, or a program that is no broker
          change: start the broker, or give its address: --bootstrap HOST:PORT
    "#]],
    );
}

/// A program that says this to whoever connects, as long as what is given lives.
fn listen(says: &'static [u8]) -> (String, std::sync::mpsc::Receiver<std::net::TcpStream>) {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, held) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let written = std::io::Write::write_all(&mut stream, says);
            if written.is_ok() && sender.send(stream).is_err() {
                return;
            }
        }
    });
    (address, held)
}

#[test]
fn a_topic_that_does_not_exist() {
    for bed in beds() {
        let script = bed.script("missing", 1, &[("'topic'='missing_clicks'", "'topic'='mising_clicks'")]);
        let job = Tidemill::run(&script.file, &["--bootstrap", bed.bootstrap]);
        screen(
            job,
            &[(bed.bootstrap, "HOST:PORT")],
            1,
            expect![[r#"
            reading topic mising_clicks at HOST:PORT (table user_clicks), writing topic missing_counts at HOST:PORT (table top_users)
            error: topic mising_clicks of table user_clicks does not exist
              broker: HOST:PORT
              create it: kafka-topics.sh --bootstrap-server HOST:PORT --create --topic mising_clicks --partitions 1
        "#]],
        );
    }
}

#[test]
fn a_record_that_is_no_row() {
    for bed in beds() {
        let script = bed.script("bad", 1, &[]);
        bed.write(&script.source, 1, [click(1), r#"{"user_id":"seven","cURL":"/"}"#.to_owned()]);
        let job = Tidemill::run(&script.file, &["--bootstrap", bed.bootstrap]);
        screen(
            job,
            &[(bed.bootstrap, "HOST:PORT")],
            1,
            expect![[r#"
            reading topic bad_clicks at HOST:PORT (table user_clicks), writing topic bad_counts at HOST:PORT (table top_users)
            error: a record of topic bad_clicks is not what table user_clicks says
              record: partition 0, offset 1
              value: {"user_id":"seven","cURL":"/"}
              field: user_id
              what: "seven" is not a BIGINT, or out of its range
              change: the record, or add 'json.ignore-parse-errors' = 'true' to the table's WITH
        "#]],
        );
    }
}

#[test]
fn sql_that_cannot_be_planned() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("job.sql");
    let text = std::fs::read_to_string(reference_file()).unwrap().replace("SELECT user_id", "SELECT userid");
    std::fs::write(&file, text).unwrap();
    let job = Tidemill::run(&file, &[]);
    screen(
        job,
        &[(&folder.path().display().to_string(), "FOLDER")],
        2,
        expect![[r#"
        error: unknown column userid in table user_clicks
         --> FOLDER/job.sql:7:8
          |
        7 | SELECT userid, COUNT(cURL) AS cnt, window_start, window_end
          |        ^^^^^^ did you mean 'user_id'?
    "#]],
    );
}

#[test]
fn an_option_that_the_client_does_not_know() {
    let job = Tidemill::run(&reference_file(), &["--set", "properties.fetch.min.byte=1"]);
    screen(
        job,
        &[],
        2,
        expect![[r#"
        error: --set 'properties.fetch.min.byte': unknown property 'fetch.min.byte'; did you mean 'fetch.min.bytes'?
    "#]],
    );
}

#[test]
fn a_speed_that_is_none() {
    let job = Tidemill::run(&reference_file(), &["--speed", "0"]);
    screen(
        job,
        &[],
        2,
        expect![[r#"
        error: invalid value '0' for '--speed <X>': a number above 0 and up to 1000000000 is wanted

        For more information, try '--help'.
    "#]],
    );
}
