//! Output to the terminal, with links (OSC 8).

use std::cell::RefCell;
use std::io::{self, Stdout, Write, stdout};
use std::rc::Rc;
use std::sync::Arc;

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell;
use ratatui::layout::{Position, Size};

use super::view::Link;

/// Links of the frame that is being drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Links(Rc<RefCell<Vec<Link>>>);

impl Links {
    /// Sets the links of the frame.
    pub(super) fn set(&self, links: Vec<Link>) {
        *self.0.borrow_mut() = links;
    }

    /// Returns the address of the link at a cell; `None` if there is none.
    fn at(&self, position: Position) -> Option<Arc<str>> {
        let links = self.0.borrow();
        links.iter().find(|it| it.area.contains(position)).map(|it| it.target.clone())
    }
}

/// Writes cells to the terminal. Those that are a link are written within the control sequence of
/// their address, so that a click on them opens it.
pub(super) struct LinkBackend {
    /// Writes what is no link.
    inner: CrosstermBackend<Stdout>,
    /// Links of the frame.
    links: Links,
    /// Where the cursor was put last.
    cursor: Position,
}

impl LinkBackend {
    /// Creates the backend for standard output.
    pub(super) fn new() -> Self {
        Self {
            inner: CrosstermBackend::new(stdout()),
            links: Links::default(),
            cursor: Position::ORIGIN,
        }
    }

    /// Returns the handle by which the links of a frame are set.
    pub(super) fn links(&self) -> Links {
        self.links.clone()
    }
}

impl Backend for LinkBackend {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let mut run: Vec<(u16, u16, &'a Cell)> = Vec::new();
        let mut target = None;
        for cell in content {
            let link = self.links.at(Position::new(cell.0, cell.1));
            if link != target && !run.is_empty() {
                self.draw_run(&run, target.as_deref())?;
                run.clear();
            }
            target = link;
            run.push(cell);
        }
        self.draw_run(&run, target.as_deref())
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.inner.hide_cursor()
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.inner.show_cursor()
    }

    /// Returns where the cursor was put last. Asking the terminal would take as long as its answer,
    /// which the thread that reads keys would read as well; and not every terminal answers.
    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(self.cursor)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.cursor = position.into();
        self.inner.set_cursor_position(self.cursor)
    }

    fn clear(&mut self) -> io::Result<()> {
        self.inner.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.inner.clear_region(clear_type)
    }

    fn size(&self) -> io::Result<Size> {
        self.inner.size()
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.inner.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.inner)
    }
}

impl LinkBackend {
    /// Draws cells that have the same link, or none.
    fn draw_run(&mut self, run: &[(u16, u16, &Cell)], target: Option<&str>) -> io::Result<()> {
        let cells = || run.iter().map(|(x, y, cell)| (*x, *y, *cell));
        let Some(target) = target else { return self.inner.draw(cells()) };
        write!(self.inner, "\u{1b}]8;;{target}\u{1b}\\")?;
        self.inner.draw(cells())?;
        write!(self.inner, "\u{1b}]8;;\u{1b}\\")
    }
}
