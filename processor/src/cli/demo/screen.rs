//! The terminal: taken over for the live view, and given back as it was, with the last picture left on it.
//!
//! Before: [`watch`](super::watch) says when to draw. What is drawn is the [`view`](super::view)'s.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use ratatui::DefaultTerminal;
use ratatui::buffer::{Buffer, Cell};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::terminal::is_raw_mode_enabled;
use ratatui::layout::{Rect, Size};
use ratatui::style::{Color, Modifier};
use ratatui::widgets::Widget;

use super::view::View;

/// The terminal while the view has it. Dropped, it is as it was before; also after a panic, in any thread.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: DefaultTerminal,
}

impl Screen {
    /// Takes the terminal over, if standard output is one that can be drawn on.
    pub(super) fn open() -> io::Result<Option<Self>> {
        let term = std::env::var_os("TERM");
        if !io::stdout().is_terminal() || !can_be_drawn_on(term.as_deref()) {
            return Ok(None);
        }
        // Also has a panic give the terminal back before it is reported.
        Ok(Some(Self { terminal: ratatui::try_init()? }))
    }

    /// Draws the view.
    ///
    /// # Errors
    /// Also when the terminal was given back meanwhile, by a panic in another thread.
    pub(super) fn draw(&mut self, view: &View) -> io::Result<()> {
        if !is_taken_over() {
            return Err(io::Error::other("the terminal was given back after a panic"));
        }
        self.terminal.draw(|frame| frame.render_widget(view, frame.area())).map(|_| ())
    }

    /// Whether a key was pressed that ends the demo: q, Esc or Ctrl-C, which is no signal while we have the terminal.
    pub(super) fn asked_to_end(&self) -> io::Result<bool> {
        while event::poll(Duration::ZERO)? {
            if let Event::Key(key) = event::read()?
                && ends(&key)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives the terminal back, and leaves the view on it as text.
    pub(super) fn close(self, view: &View) -> io::Result<()> {
        let size = self.terminal.size().unwrap_or(Size::new(80, 24));
        if !is_taken_over() {
            return Ok(());
        }
        drop(self);
        io::stdout().write_all(picture(view, size).as_bytes())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Given back twice, the second time would put the cursor back where it was at the first, over a panic's message.
        if is_taken_over() {
            ratatui::restore();
        }
    }
}

/// Whether the terminal is still ours.
fn is_taken_over() -> bool {
    is_raw_mode_enabled().unwrap_or(false)
}

fn ends(key: &KeyEvent) -> bool {
    let pressed = key.kind != KeyEventKind::Release;
    let control_c = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    pressed && (control_c || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
}

/// The view as text with escape sequences for its styles, as wide as the terminal and one line less high: the prompt
/// comes below it.
fn picture(view: &View, size: Size) -> String {
    let area = Rect::new(0, 0, size.width, size.height.saturating_sub(1));
    let mut buffer = Buffer::empty(area);
    view.render(area, &mut buffer);
    let mut text = String::new();
    for row in area.rows() {
        let cells: Vec<&Cell> = row.positions().filter_map(|position| buffer.cell(position)).collect();
        let shown = cells.iter().rposition(|cell| cell.symbol() != " ").map_or(0, |last| last + 1);
        let mut current = String::new();
        for cell in &cells[..shown] {
            let style = escape_sequence(cell);
            if style != current {
                text.push_str(&style);
                current = style;
            }
            text.push_str(cell.symbol());
        }
        text.push_str(if current.is_empty() || current == RESET { "\n" } else { "\x1b[0m\n" });
    }
    text.truncate(text.trim_end_matches('\n').len());
    text.push('\n');
    text
}

/// Select Graphic Rendition (ECMA-48, 8.3.117) for the styles that the view's palettes have.
fn escape_sequence(cell: &Cell) -> String {
    let mut sequence = RESET.to_owned();
    let modifiers = [(Modifier::BOLD, 1), (Modifier::DIM, 2)].into_iter();
    let modifiers = modifiers.filter(|(modifier, _)| cell.modifier.contains(*modifier)).map(|(_, code)| code);
    let colours = [(Color::Red, 31), (Color::Green, 32), (Color::Cyan, 36)].into_iter();
    let colours = colours.filter(|(colour, _)| cell.fg == *colour).map(|(_, code)| code);
    for code in modifiers.chain(colours) {
        // Writing into a String does not fail.
        let _ = write!(sequence, "\x1b[{code}m");
    }
    sequence
}

const RESET: &str = "\x1b[0m";

/// Whether a terminal of this kind, as `TERM` names it, knows where its cursor is.
fn can_be_drawn_on(term: Option<&OsStr>) -> bool {
    term.is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumb_terminal_gets_lines() {
        assert!(!can_be_drawn_on(Some(OsStr::new("dumb"))));
        assert!(can_be_drawn_on(Some(OsStr::new("xterm"))) && can_be_drawn_on(None));
    }

    #[test]
    fn q_escape_and_control_c_end_it() {
        let key = |code, modifiers| KeyEvent::new(code, modifiers);
        assert!(ends(&key(KeyCode::Char('q'), KeyModifiers::NONE)));
        assert!(ends(&key(KeyCode::Esc, KeyModifiers::NONE)));
        assert!(ends(&key(KeyCode::Char('c'), KeyModifiers::CONTROL)));
        assert!(!ends(&key(KeyCode::Char('c'), KeyModifiers::NONE)));
        let release = KeyEvent { kind: KeyEventKind::Release, ..key(KeyCode::Char('q'), KeyModifiers::NONE) };
        assert!(!ends(&release));
    }

    #[test]
    fn styles_become_escape_sequences() {
        let mut cell = Cell::default();
        assert_eq!(escape_sequence(&cell), "\x1b[0m");
        cell.modifier = Modifier::BOLD;
        cell.fg = Color::Cyan;
        assert_eq!(escape_sequence(&cell), "\x1b[0m\x1b[1m\x1b[36m");
    }
}
