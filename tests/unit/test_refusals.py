"""What people read of many runs that guards refused."""

from incidentd.playbooks.refusals import Sum, in_words, lines, title


def of(number: int, guard: str = "total", playbook: str = "restart", *targets: str) -> Sum:
    reason = f"{playbook} may not"
    return Sum(playbook=playbook, guard=guard, number=number, reason=reason, targets=targets or ("w-1",))


def test_one_line_says_how_many_of_what() -> None:
    assert title([of(7), of(1, "canary")]) == (
        "8 runs of playbook restart refused: what they were for is left to people"
    )
    assert title([of(7), of(1, playbook="drain")]).startswith("8 runs of 2 playbooks refused")
    assert in_words([of(7), of(1, "canary", "drain")]) == "7 of restart by `total`, 1 of drain by `canary`"


def test_each_guard_is_named_with_its_reason_and_the_first_targets() -> None:
    assert lines([of(7, "canary", "restart", "w-1", "w-2"), of(1)]) == (
        "restart, 7 refused by `canary` on w-1, w-2 and 5 more: restart may not",
        "restart, 1 refused by `total` on w-1: restart may not",
    )


def test_many_guards_are_summed_up_and_a_strangers_target_stays_in_its_line() -> None:
    assert lines([of(9 - number, f"g{number}") for number in range(7)])[-1] == "and 7 more by other guards"
    [line] = lines([of(1, "total", "restart", "w\x1b[31m\nhttp://evil")])
    assert "\x1b" not in line
    assert "\n" not in line
