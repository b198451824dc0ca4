//! Tests of the model and of what it draws, with keys and events, in virtual time.

mod desk;
mod german;
mod messages;
mod questions;
mod random;
mod rooms;
mod screens;
mod scrolling;
mod search;
mod window;
