from hangtag.inference.measured import EngineSetting, Timing, choose_setting, list_settings, time_in_turn


def timing(images_per_s, precision="fp32", threads=2, batch_size=16):
    return Timing(EngineSetting(precision, threads, batch_size), images_per_s)


def test_the_plainest_setting_is_measured_first():
    settings = list_settings({"int8", "fp32", "bf16"}, 4, (16, 8))
    assert settings[0] == EngineSetting("fp32", 4, 16)
    assert [setting.precision for setting in settings] == ["fp32"] * 3 + ["bf16"] * 3 + ["int8"] * 3
    assert [(setting.threads, setting.batch_size) for setting in settings[:3]] == [(4, 16), (2, 16), (4, 8)]


def test_one_processor_has_no_half():
    assert list_settings({"fp32"}, 1, (16, 8)) == [EngineSetting("fp32", 1, 16), EngineSetting("fp32", 1, 8)]


def test_the_fastest_is_chosen():
    timings = [timing(900), timing(1400, "bf16"), timing(2000, "int8"), timing(1900, "int8", batch_size=8)]
    assert choose_setting(timings, ["fp32", "bf16", "int8"]) == EngineSetting("int8", 2, 16)


def test_what_is_not_allowed_is_not_chosen_however_fast():
    timings = [timing(900), timing(1400, "bf16"), timing(2000, "int8")]
    assert choose_setting(timings, ["fp32", "bf16"]).precision == "bf16"
    assert choose_setting(timings, ["fp32"]).precision == "fp32"
    assert choose_setting(timings, ["fp16"]) is None
    assert choose_setting([], ["fp32"]) is None


def test_a_lead_that_chance_explains_chooses_nothing():
    assert choose_setting([timing(1000), timing(1020, "bf16")], ["fp32", "bf16"]).precision == "fp32"
    assert choose_setting([timing(1000), timing(1040, "bf16")], ["fp32", "bf16"]).precision == "bf16"


def test_a_slower_arithmetic_is_not_chosen():
    timings = [timing(1000), timing(400, "bf16"), timing(990, "int8")]
    assert choose_setting(timings, ["fp32", "bf16", "int8"]).precision == "fp32"


def test_works_run_in_turn_once_uncounted_and_their_medians_count():
    now, ran = 0.0, []
    lasting = {"quick": iter([50, 1, 9, 2]), "slow": iter([50, 5, 4, 6])}

    def work(name):
        nonlocal now
        ran.append(name)
        now += next(lasting[name])

    works = {name: lambda name=name: work(name) for name in lasting}
    assert time_in_turn(works, 3, lambda: now) == {"quick": 2, "slow": 5}
    assert ran == ["quick", "slow"] * 4
