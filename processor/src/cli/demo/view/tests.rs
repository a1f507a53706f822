use expect_test::expect;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;

/// A terminal of this size with the view on it, as text.
fn drawn(view: &View, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| frame.render_widget(view, frame.area())).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(|y| row(y) + "\n").collect()
}

fn window(hour: u32, clicks: u64) -> CheckedWindow {
    let counts = [3120, 1822, 1276, 1011, 805, 690, 590, 522, 462, 7];
    CheckedWindow {
        start: format!("2026-11-23 {hour:02}:00:00"),
        end: format!("2026-11-23 {hour:02}:30:00"),
        users: 987,
        clicks,
        others: 0,
        sum: clicks,
        top: counts.iter().enumerate().map(|(rank, cnt)| (Some(rank as i64 * 97 + 7), *cnt)).collect(),
    }
}

/// Five seconds in, at speed 600.
fn running() -> View {
    let mut view = View {
        bootstrap: "127.0.0.1:40123".to_owned(),
        speed: 600.0,
        window_ms: 30 * 60 * 1000,
        phase: Phase::Running,
        rate: 9_998.7,
        lag: Some(103),
        // 2026-11-23 11:50:00
        processing_time_ms: 1_795_434_600_000,
        window_ends_ms: Some(1_795_435_200_000),
        windows: 0,
        clicks: 0,
        recent: VecDeque::new(),
        palette: Palette::COLOUR,
    };
    view.handle_checked(window(10, 12_345));
    view.handle_checked(window(11, 30_012));
    view
}

#[test]
fn at_80_by_24_all_of_it_is_there() {
    expect![[r#"
        Tidemill: top users by clicks                                          q ends it
        examples/top_users.sql on 30-minute windows, time runs 600 times as fast
        ── Now ─────────────────────────────────────────────────────────────────────────
        Clicks in  9,999/s         lag 103 records
        Watermark  2026-11-23 11:50:00 UTC, processing time
        Windows    2 closed        42,357 clicks, every sum right ✓
        Open       2026-11-23 11:30 – 12:00 ━━━━━━━━━━━━━━━━━━───────── closes in 1.0 s

        ── Top users 2026-11-23 11:00 – 11:30 ────────────── 30,012 clicks, 987 users ──
           user_id        cnt
                 7      3,120 █████████████████████████████████████████████████████████
               104      1,822 █████████████████████████████████▎
               201      1,276 ███████████████████████▎
               298      1,011 ██████████████████▍
               395        805 ██████████████▋
               492        690 ████████████▌
               589        590 ██████████▊
               686        522 █████████▌
               783        462 ████████▍
               880          7 ▏

        ── In another terminal ─────────────────────────────────────────────────────────
        Broker     127.0.0.1:40123
        Watch      kcat -C -b 127.0.0.1:40123 -t top_users
    "#]]
    .assert_eq(&drawn(&running(), 80, 24));
}

#[test]
fn on_a_small_terminal_the_most_important_is_there() {
    expect![[r#"
        Tidemill: top users by clicks            q ends it
        ── Now ───────────────────────────────────────────
        Clicks in  9,999/s         lag 103 records
        Watermark  2026-11-23 11:50:00 UTC
        Windows    2 closed        every sum right ✓
        Open       11:30 – 12:00 ━━━━━─── closes in 1.0 s
        ── Top users 11:00 – 11:30 ───────────────────────
           user_id        cnt
                 7      3,120 ███████████████████████████
               104      1,822 ███████████████▊
               201      1,276 ███████████
               298      1,011 ████████▋
               395        805 ██████▉
               492        690 █████▉
        Watch      kcat -C -b 127.0.0.1:40123 -t top_users
    "#]]
    .assert_eq(&drawn(&running(), 50, 15));
}

#[test]
fn before_the_first_window_it_says_so() {
    let mut view = running();
    (view.recent, view.windows, view.clicks) = (VecDeque::new(), 0, 0);
    (view.lag, view.window_ends_ms, view.processing_time_ms) = (None, None, 0);
    expect![[r#"
        Tidemill: top users by clicks                      q ends it
        ── Now ─────────────────────────────────────────────────────
        Clicks in  9,999/s         lag unknown
        Watermark  none yet
        Windows    0 closed
        Open       none
        ── Last window ─────────────────────────────────────────────
        None has closed yet.



        Watch      kcat -C -b 127.0.0.1:40123 -t top_users
    "#]]
    .assert_eq(&drawn(&view, 60, 12));
}

#[test]
fn a_tall_terminal_shows_earlier_windows() {
    let text = drawn(&running(), 120, 40);
    assert!(text.contains("2026-11-23 10:00 – 10:30      12,345 ✓  most: user 7 with 3,120"), "{text}");
}

#[test]
fn no_size_is_too_small() {
    for width in [1, 2, 5, 12, 13, 23, 24, 79, 300] {
        for height in [1, 2, 3, 7, 8, 19, 20, 21] {
            drawn(&running(), width, height);
        }
    }
}

#[test]
fn trouble_stands_where_the_rate_was() {
    let view = View { phase: Phase::Trouble("the broker is away".to_owned()), ..running() };
    assert!(drawn(&view, 80, 24).contains("Clicks in  the broker is away"));
}

#[test]
fn without_colour_nothing_is_coloured() {
    let area = Rect::new(0, 0, 80, 24);
    for (palette, coloured) in [(Palette::PLAIN, false), (Palette::COLOUR, true)] {
        let mut buffer = Buffer::empty(area);
        View { palette, ..running() }.render(area, &mut buffer);
        let is_coloured = buffer.content.iter().any(|cell| cell.fg != Color::Reset || cell.bg != Color::Reset);
        assert_eq!(is_coloured, coloured);
    }
}

#[test]
fn bars_grow_by_eighths() {
    assert_eq!(bar(8, 8, 2), "██");
    assert_eq!(bar(1, 16, 2), "▏");
    assert_eq!(bar(9, 16, 2), "█▏");
    assert_eq!(bar(0, 16, 2), "");
    assert_eq!(bar(5, 0, 2), "██");
}
