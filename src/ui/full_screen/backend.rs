//! Output to the terminal, with links (OSC 8).

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
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
pub(super) struct LinkBackend<W: Write = Stdout> {
    /// Writes what is no link.
    inner: CrosstermBackend<W>,
    /// Links of the frame.
    links: Links,
    /// Cells of links as they were written last, with their addresses. Another address of the same
    /// cell is a change that ratatui does not see.
    shown: BTreeMap<(u16, u16), (Cell, Arc<str>)>,
    /// Where the cursor was put last.
    cursor: Position,
}

impl LinkBackend {
    /// Creates the backend for standard output.
    pub(super) fn new() -> Self {
        Self::over(stdout())
    }
}

impl<W: Write> LinkBackend<W> {
    /// Creates the backend over an output.
    fn over(output: W) -> Self {
        Self {
            inner: CrosstermBackend::new(output),
            links: Links::default(),
            shown: BTreeMap::new(),
            cursor: Position::ORIGIN,
        }
    }

    /// Returns the handle by which the links of a frame are set.
    pub(super) fn links(&self) -> Links {
        self.links.clone()
    }

    /// Returns the cells that are written already, but as a link to another address than now.
    fn cells_of_other_links(&self, written: &BTreeSet<(u16, u16)>) -> Vec<(u16, u16, Cell)> {
        let is_other = |(at, (_, before)): &(&(u16, u16), &(Cell, Arc<str>))| {
            let now = self.links.at(Position::new(at.0, at.1));
            !written.contains(at) && now.is_some_and(|it| it != *before)
        };
        let others = self.shown.iter().filter(is_other);
        others.map(|((x, y), (cell, _))| (*x, *y, cell.clone())).collect()
    }

    /// Writes cells that have the same link, or none.
    fn draw_run(&mut self, run: &[(u16, u16, &Cell)], target: Option<&Arc<str>>) -> io::Result<()> {
        for (x, y, cell) in run {
            match target {
                Some(target) => {
                    self.shown.insert((*x, *y), ((*cell).clone(), target.clone()));
                }
                None => drop(self.shown.remove(&(*x, *y))),
            }
        }
        let cells = run.iter().map(|(x, y, cell)| (*x, *y, *cell));
        let Some(target) = target else { return self.inner.draw(cells) };
        write!(self.inner, "\u{1b}]8;;{target}\u{1b}\\")?;
        self.inner.draw(cells)?;
        write!(self.inner, "\u{1b}]8;;\u{1b}\\")
    }
}

impl<W: Write> Backend for LinkBackend<W> {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        let content: Vec<_> = content.collect();
        let others = if self.shown.is_empty() {
            Vec::new()
        } else {
            let written = content.iter().map(|(x, y, _)| (*x, *y)).collect();
            self.cells_of_other_links(&written)
        };
        let others = others.iter().map(|(x, y, cell)| (*x, *y, cell));
        let mut run: Vec<(u16, u16, &Cell)> = Vec::new();
        let mut target = None;
        for cell in content.into_iter().chain(others) {
            let link = self.links.at(Position::new(cell.0, cell.1));
            if link != target && !run.is_empty() {
                self.draw_run(&run, target.as_ref())?;
                run.clear();
            }
            target = link;
            run.push(cell);
        }
        self.draw_run(&run, target.as_ref())
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
        self.shown.clear();
        self.inner.clear()
    }

    fn clear_region(&mut self, clear_type: ClearType) -> io::Result<()> {
        self.shown.clear();
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

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;

    use super::*;

    /// Output whose bytes can be looked at.
    #[derive(Clone, Default)]
    struct Written(Rc<RefCell<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns a cell with this character.
    fn cell(symbol: &str) -> Cell {
        let mut cell = Cell::default();
        cell.set_symbol(symbol);
        cell
    }

    /// Draws cells `/` and this letter at the top left, of which only these have changed, as a link.
    /// Returns what is written.
    fn draw(
        (backend, written): &mut (LinkBackend<Written>, Written),
        letter: &str,
        changed: &[u16],
    ) -> String {
        let target = Arc::from(format!("https://x/{letter}"));
        backend.links.set(vec![Link { area: Rect::new(0, 0, 2, 1), target }]);
        let cells: Vec<_> = ["/", letter].map(cell).into();
        let changed = changed.iter().map(|x| (*x, 0, &cells[usize::from(*x)]));
        backend.draw(changed).unwrap();
        Backend::flush(backend).unwrap();
        String::from_utf8(written.0.take()).unwrap()
    }

    /// Cells of a link are within its address. Where another link takes its place, the cells that
    /// look the same are written again, so that they do not open the old one.
    #[test]
    fn cells_open_the_link_that_they_show() {
        let written = Written::default();
        let mut backend = (LinkBackend::over(written.clone()), written);
        let first = draw(&mut backend, "1", &[0, 1]);
        assert_eq!(first.matches("]8;;https://x/1\u{1b}").count(), 1, "{first:?}");
        assert!(first.contains("]8;;\u{1b}"), "{first:?}");
        let second = draw(&mut backend, "2", &[1]);
        assert!(second.contains('/') && second.contains("]8;;https://x/2"), "{second:?}");
        assert!(second.rfind("]8;;\u{1b}") > second.rfind('/'), "{second:?}");
        assert_eq!(backend.0.shown[&(0, 0)].1.as_ref(), "https://x/2");
        let none = draw(&mut backend, "2", &[]);
        assert!(!none.contains("]8;;https"), "{none:?}");
    }
}
