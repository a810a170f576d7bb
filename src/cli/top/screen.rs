//! The figures on a terminal, drawn again every second.

use super::fetch::Place;
use super::figures;
use super::figures::{Reading, View};
use super::{EVERY, read};
use crate::cli::{Exit, Outcome};
use ratatui::Frame;
use ratatui::crossterm::event;
use ratatui::crossterm::event::{Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::Paragraph;
use std::io;
use std::time::Instant;

/// Draws until a key says that it is enough.
pub(super) fn watch(place: &Place, first: Reading) -> Outcome {
    let mut terminal = ratatui::try_init()?;
    let (mut earlier, mut view, mut fault) = (first, None::<View>, None::<String>);
    let watched = loop {
        if let Err(error) = terminal.draw(|frame| draw(frame, place, view.as_ref(), fault.as_deref())) {
            break Err(error);
        }
        match enough() {
            Ok(false) => {}
            other => break other,
        }
        // A station that starts again is seen again.
        match read(place) {
            Ok(later) => {
                (view, fault) = (Some(figures::view(&earlier, &later)), None);
                earlier = later;
            }
            Err(failure) => fault = Some(failure.message),
        }
    };
    ratatui::try_restore()?;
    watched?;
    Ok(Exit::Ok)
}

/// Waits for the next reading; whether a key ended it before.
fn enough() -> io::Result<bool> {
    let until = Instant::now() + EVERY;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if !event::poll(left)? {
            return Ok(false);
        }
        let Event::Key(key) = event::read()? else { continue };
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let ends = matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) || control && key.code == KeyCode::Char('c');
        if ends && key.kind == KeyEventKind::Press {
            return Ok(true);
        }
    }
}

fn draw(frame: &mut Frame<'_>, place: &Place, view: Option<&View>, fault: Option<&str>) {
    let said = fault.map_or_else(|| format!("{place}  q ends"), |fault| format!("{fault}  q ends"));
    let [head, stages, answers, links, foot] = Layout::vertical([
        Constraint::Length(4),
        Constraint::Length(rows(view.map(|view| &view.stages))),
        Constraint::Min(3),
        Constraint::Length(rows(view.map(|view| &view.links))),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(Paragraph::new(said), foot);
    let Some(view) = view else {
        return frame.render_widget(Paragraph::new("one second, please"), head);
    };
    frame.render_widget(Paragraph::new(view.head.join("\n")), head);
    for (block, area) in [(&view.stages, stages), (&view.answers, answers), (&view.links, links)] {
        frame.render_widget(Paragraph::new(table(block)), area);
    }
}

/// Lines of a block, and a blank one.
fn rows(block: Option<&Vec<String>>) -> u16 {
    block.map_or(0, |block| u16::try_from(block.len() + 1).unwrap_or(u16::MAX))
}

/// The first line is its head.
fn table(block: &[String]) -> Text<'_> {
    let line = |(place, line): (usize, &'_ String)| {
        let style = if place == 0 { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
        Line::styled(line.clone(), style)
    };
    block.iter().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    #[test]
    fn the_screen_shows_every_block_and_what_went_wrong() {
        let block = |name: &str| vec![format!("{name} head"), format!("{name} row")];
        let view = View { head: block("top"), stages: block("stage"), answers: block("answer"), links: block("link") };
        let place = Place::of("http://127.0.0.1:1").unwrap();
        let mut terminal = Terminal::new(TestBackend::new(60, 24)).unwrap();
        terminal.draw(|frame| draw(frame, &place, Some(&view), Some("nobody listens"))).unwrap();
        let seen = terminal.backend().to_string();
        for word in ["top row", "stage row", "answer row", "link row", "nobody listens  q ends"] {
            assert!(seen.contains(word), "{word}: {seen}");
        }
    }
}
