use super::{ms, secs};
use crate::guard::Ramp;

#[test]
fn it_grows_by_steps() {
    let ramp = Ramp::new(secs(100), secs(5));
    let seen = [0, 100, 104, 105, 109, 110, 10_000].map(|at| ramp.percent(secs(at)));
    assert_eq!(seen, [10, 10, 10, 50, 50, 100, 100]);
    assert_eq!([99, 105, 110].map(|at| ramp.share(secs(at))), [0.1, 0.5, 1.0]);
    assert!(!ramp.is_over(ms(109_999)) && ramp.is_over(secs(110)));
    assert_eq!([101, 106, 110].map(|at| ramp.next_step_in(secs(at))), [secs(4), secs(4), secs(0)]);
}

#[test]
fn without_a_step_it_is_over_at_once() {
    let ramp = Ramp::new(secs(1), secs(0));
    assert_eq!((ramp.percent(secs(1)), ramp.next_step_in(secs(1))), (100, secs(0)));
}
