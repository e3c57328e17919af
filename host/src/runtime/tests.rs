//! What a module may do, and how it is stopped.

mod apply;
mod load;
mod mutation;
mod read;
