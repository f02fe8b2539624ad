"""The last line of a sweep: how many cards obey how many laws, by how many checks."""


def pytest_terminal_summary(terminalreporter):
    found = [dict(report.user_properties) for report in terminalreporter.stats.get("passed", ())]
    swept = [entry for entry in found if "law" in entry]
    if swept:
        cards, laws = len({entry["card"] for entry in swept}), len({entry["law"] for entry in swept})
        checks = sum(entry["checks"] for entry in swept)
        terminalreporter.write_line(f"laws: {cards} cards x {laws} laws, {checks:,} checks")
