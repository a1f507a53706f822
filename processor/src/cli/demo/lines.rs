//! A checked window as one line of JSON, for whoever reads standard output.
//!
//! Before: [`check`](super::check).

use std::fmt::Write;

use super::check::CheckedWindow;

/// How many of a window's users stand in its line.
const TOP: usize = 5;

/// The line of a window, without its end.
pub(super) fn line(window: &CheckedWindow) -> String {
    let CheckedWindow { start, end, users, clicks, others, sum, top } = window;
    let (start, end) = (serde_json::Value::from(start.as_str()), serde_json::Value::from(end.as_str()));
    let mut line = format!(r#"{{"window_start":{start},"window_end":{end},"users":{users},"clicks":{clicks},"#);
    // Writing into a String does not fail.
    if *others > 0 {
        let _ = write!(line, r#""others":{others},"#);
    }
    let top = top.iter().take(TOP).map(|(user_id, cnt)| {
        let user_id = serde_json::Value::from(*user_id);
        format!(r#"{{"user_id":{user_id},"cnt":{cnt}}}"#)
    });
    let _ = write!(line, r#""sum_cnt":{sum},"top":[{}]}}"#, top.collect::<Vec<_>>().join(","));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_in_the_order_of_reading() {
        let mut window = CheckedWindow {
            start: "2026-11-23 10:00:00".to_owned(),
            end: "2026-11-23 10:30:00".to_owned(),
            users: 3,
            clicks: 10,
            others: 0,
            sum: 10,
            top: vec![(Some(7), 6), (Some(-1), 3), (None, 1)],
        };
        let expected = r#"{"window_start":"2026-11-23 10:00:00","window_end":"2026-11-23 10:30:00","users":3,"clicks":10,"sum_cnt":10,"top":[{"user_id":7,"cnt":6},{"user_id":-1,"cnt":3},{"user_id":null,"cnt":1}]}"#;
        assert_eq!(line(&window), expected);
        window.others = 2;
        assert!(line(&window).contains(r#""clicks":10,"others":2,"sum_cnt":10,"#));
        serde_json::from_str::<serde_json::Value>(&line(&window)).unwrap();
    }
}
