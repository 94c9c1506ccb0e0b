from __future__ import annotations

from infra.postgres import schema_dump
from infra.postgres.schema_dump import Catalog, Part, PostData, Step

# As pg_restore --list of 17 prints it. `readings` is converted, `p1` is a partition in `other`, and
# its twins are a table of another schema and some that only begin alike.
PRE_DATA = """\
;
; Archive created at 2026-11-25 20:10:00 UTC
;
4156; 0 0 COMMENT - SCHEMA "public" pg_database_owner
15; 2615 18657 SCHEMA - other postgres
18; 2615 18659 SCHEMA - _timescaledb_cache postgres
545; 1255 18687 FUNCTION public tr() postgres
4190; 0 0 COMMENT public FUNCTION "tr"() postgres
286; 1259 18670 TABLE public readings postgres
4160; 0 0 COMMENT public TABLE "readings" postgres
4161; 0 0 COMMENT public COLUMN "readings"."v" postgres
546; 1255 18696 FUNCTION public rset() postgres
297; 1259 18833 TABLE other p1 own er
4166; 0 0 COMMENT other TABLE "p1" own er
4170; 0 0 ACL other COLUMN "p1"."k" own er
300; 1259 18844 TABLE other p1 x postgres
4171; 0 0 COMMENT other TABLE "p1 x" postgres
298; 1259 18842 SEQUENCE other p1_id_seq own er
4172; 0 0 SEQUENCE OWNED BY other p1_id_seq own er
304; 1259 18887 TABLE public p1 postgres
4179; 0 0 COMMENT public TABLE "p1" postgres
285; 1259 18669 SEQUENCE public readings_gen_seq postgres
284; 1259 18668 SEQUENCE public readings_id_seq postgres
4183; 0 0 SEQUENCE OWNED BY public readings_id_seq postgres
3829; 0 0 TABLE ATTACH other p1 own er
3830; 0 0 TABLE ATTACH other p1 x postgres
3852; 2604 18847 DEFAULT other p1 id own er
3850; 2604 18673 DEFAULT public readings id postgres
3851; 2604 18674 DEFAULT public readings v postgres
"""

POST_DATA = """\
3921; 2606 18667 CONSTRAINT public plain plain_pkey postgres
4185; 0 0 COMMENT public CONSTRAINT "plain_pkey" ON "plain" postgres
612; 1255 18931 FUNCTION public fdf() postgres
307; 1259 18915 MATERIALIZED VIEW public mv postgres
3873; 2606 18686 CHECK CONSTRAINT public readings late postgres
3925; 2606 18676 CONSTRAINT public readings readings_pkey postgres
4191; 0 0 COMMENT public CONSTRAINT "readings_pkey" ON "readings" postgres
3934; 1259 18862 INDEX other p1 k own er
4195; 0 0 COMMENT other INDEX "p1 k" own er
3951; 1259 18926 INDEX public mvi postgres
3922; 1259 18684 INDEX public readings v postgres
4201; 0 0 COMMENT public INDEX "readings v" postgres
3926; 1259 18685 INDEX public ri postgres
3956; 0 0 INDEX ATTACH other p1_k_idx postgres
3957; 0 0 INDEX ATTACH other p1 x_k_idx postgres
3969; 2620 18683 TRIGGER public readings ts_insert_blocker postgres
4211; 0 0 COMMENT public TRIGGER "ts_insert_blocker" ON "readings" postgres
3970; 2620 18688 TRIGGER public readings ts_insert_blocker_mine postgres
3967; 2606 18865 FK CONSTRAINT other p1 p1fk own er
3965; 2606 18792 FK CONSTRAINT public refers onto postgres
4215; 0 0 COMMENT public CONSTRAINT "onto" ON "refers" postgres
3964; 2606 18677 FK CONSTRAINT public readings readings_plain_fkey postgres
3966; 2606 18793 FK CONSTRAINT public refers refers_id_at_fkey postgres
4141; 0 18833 ROW SECURITY other p1 own er
4140; 0 18670 ROW SECURITY public readings postgres
4142; 3256 18671 POLICY public readings POLICY postgres
4216; 0 0 COMMENT public POLICY "POLICY" ON "readings" postgres
4147; 6106 18877 PUBLICATION TABLE public pub plain postgres
4146; 6106 18876 PUBLICATION TABLE other pub lic p1 postgres
"""

READINGS, P1, P1_X, PUBLIC_P1, PLAIN, REFERS, MV = 18670, 18833, 18844, 18887, 1, 2, 18915
SEQUENCE, DEFAULT, FUNCTION = (1259, 18668), (2604, 18673), (1255, 18696)


def commented(relation: int, kind: str, name: str, owner: str = "postgres") -> Part:
    return Part(relation, kind, texts=(f"COMMENT {name} {owner}", f"COMMENT {name} "))


PARTS = {
    (2615, 18659): Part(0, "schema", timescale=True),
    (1259, READINGS): commented(READINGS, "table", 'public TABLE "readings"'),
    (1259, P1): Part(
        P1,
        "table",
        texts=(
            'COMMENT other TABLE "p1" own er',
            'ACL other COLUMN "p1"."k" own er',
            "TABLE ATTACH other p1 own er",
        ),
    ),
    (1259, P1_X): Part(P1_X, "table", texts=("TABLE ATTACH other p1 x postgres",)),
    (1259, PUBLIC_P1): commented(PUBLIC_P1, "table", 'public TABLE "p1"'),
    (1259, MV): Part(MV, "table"),
    (1259, 18842): Part(
        P1,
        "sequence",
        texts=("SEQUENCE OWNED BY other p1_id_seq own er",),
        links=((2604, 18847),),
    ),
    (1259, 18669): Part(READINGS, "identity"),
    SEQUENCE: Part(READINGS, "sequence", links=(DEFAULT,)),
    (2604, 18847): Part(P1, "default", links=((1259, 18842),)),
    DEFAULT: Part(READINGS, "default", links=(SEQUENCE,)),
    (2604, 18674): Part(READINGS, "default", links=(FUNCTION,)),
    (2606, 18667): commented(PLAIN, "key", 'public CONSTRAINT "plain_pkey" ON "plain"'),
    (2606, 18686): Part(READINGS, "constraint"),
    (2606, 18676): commented(READINGS, "key", 'public CONSTRAINT "readings_pkey" ON "readings"'),
    (2606, 18677): Part(READINGS, "foreign key"),
    (2606, 18865): Part(P1, "foreign key"),
    (2606, 18792): commented(REFERS, "foreign key", 'public CONSTRAINT "onto" ON "refers"'),
    (2606, 18793): Part(REFERS, "foreign key", timescale=True),
    (1259, 18862): commented(P1, "index", 'other INDEX "p1 k"', "own er"),
    (1259, 18838): Part(P1, "index", texts=("INDEX ATTACH other p1_k_idx postgres",)),
    (1259, 18839): Part(P1_X, "index", texts=("INDEX ATTACH other p1 x_k_idx postgres",)),
    (1259, 18926): Part(MV, "index"),
    (1259, 18684): Part(READINGS, "index"),
    (1259, 18685): Part(READINGS, "index of one table"),
    (2620, 18683): Part(
        READINGS,
        "trigger",
        timescale=True,
        texts=('COMMENT public TRIGGER "ts_insert_blocker" ON "readings" postgres',),
    ),
    (2620, 18688): Part(READINGS, "trigger"),
    (6106, 18876): Part(P1, "publication table"),
}
CATALOG = Catalog(
    PARTS,
    {
        (2606, 18667): "table constraint plain_pkey on public.plain",
        (1259, 18684): 'index public."readings v"',
        (1259, 18685): "index public.ri",
    },
)


def numbers(lines: tuple[str, ...]) -> list[int]:
    return [int(line.split(";")[0]) for line in lines]


def pre_data(
    text: str = PRE_DATA,
    *,
    converted: tuple[int, ...] = (READINGS,),
    absorbed: tuple[int, ...] = (P1,),
    left_out: tuple[tuple[int, int], ...] = (),
    catalog: Catalog = CATALOG,
) -> tuple[Step, ...]:
    return schema_dump.pre_data(
        text, catalog, converted=converted, absorbed=absorbed, left_out=left_out
    )


def post_data(
    *,
    converted: tuple[int, ...] = (READINGS,),
    absorbed: tuple[int, ...] = (P1,),
    present: tuple[str, ...] = (),
) -> PostData:
    return schema_dump.post_data(
        POST_DATA, CATALOG, converted=converted, absorbed=absorbed, left_out=(), present=present
    )


def test_a_table_is_converted_before_what_follows_it() -> None:
    first, last = pre_data()

    assert first.converts == READINGS
    # Its default and the sequence for it come before, because a hypertable would refuse it.
    assert numbers(first.entries) == [4156, 15, 545, 4190, 286, 284, 3850]
    assert last.converts is None
    assert numbers(last.entries)[:3] == [4160, 4161, 546]


def test_a_default_that_needs_what_follows_the_table_stays_where_it_is() -> None:
    _, last = pre_data()

    assert numbers(last.entries)[-1] == 3851


def test_everything_about_a_partition_is_left_out_and_nothing_of_its_twins() -> None:
    listed = [number for step in pre_data() for number in numbers(step.entries)]

    everything = [entry.number for entry in schema_dump.entries(PRE_DATA)]
    assert sorted(set(everything) - set(listed)) == [18, 297, 298, 3829, 3852, 4166, 4170, 4172]
    assert len(listed) == len(set(listed))


def test_a_partitions_sequence_stays_where_something_else_uses_it() -> None:
    used = Part(
        P1,
        "sequence",
        texts=("SEQUENCE OWNED BY other p1_id_seq own er",),
        links=((2604, 18847), (1255, 5)),
    )
    catalog = Catalog({**PARTS, (1259, 18842): used}, {})

    listed = [number for step in pre_data(catalog=catalog) for number in numbers(step.entries)]
    assert 298 in listed
    assert 4172 not in listed


def test_the_caller_leaves_out_a_function_with_its_comment() -> None:
    first, _ = pre_data(left_out=((1255, 545), (1255, 18687)))

    assert numbers(first.entries) == [4156, 15, 286, 284, 3850]


def test_a_table_left_out_takes_its_parts_with_it() -> None:
    without = pre_data(absorbed=(), left_out=((1259, P1),))

    assert without == pre_data()


def test_one_step_is_enough_where_nothing_is_converted() -> None:
    (step,) = pre_data(converted=(), absorbed=())

    assert step.converts is None
    assert numbers(step.entries) == [
        entry.number for entry in schema_dump.entries(PRE_DATA) if entry.number != 18
    ]


def test_two_tables_that_print_alike_are_both_attached() -> None:
    # The tables `b c` of the schema `a`, and `c` of the schema `a b`.
    text = "TABLE ATTACH a b c postgres"
    catalog = Catalog(
        {(1259, 1): Part(1, "table", texts=(text,)), (1259, 2): Part(2, "table", texts=(text,))},
        {},
    )
    line = f"9; 0 0 {text}"

    assert pre_data(line, absorbed=(1,), catalog=catalog) == (Step((line,), None),)
    assert pre_data(line, absorbed=(1, 2), catalog=catalog) == (Step((), None),)


def test_keys_come_before_the_rest() -> None:
    last = post_data()

    assert numbers(last.keys) == [3921, 3922, 3957]
    # The materialized view needs the key, and its index needs the view.
    assert numbers(last.rest) == [
        *(4185, 612, 307, 3873, 3951, 4201, 3970, 3965, 4215, 4147),
    ]


def test_row_security_comes_after_all_that_has_to_see_every_row() -> None:
    assert numbers(post_data().policies) == [4140, 4142, 4216]


def test_keys_of_a_converted_table_are_made_by_whoever_converts_it() -> None:
    without = post_data(converted=())
    listed = {*numbers(without.keys), *numbers(without.rest)}

    assert {3925, 4191, 3964, 3926} == listed - {
        *numbers(post_data().keys),
        *numbers(post_data().rest),
    }
    assert without.remade == ()


def test_an_index_that_no_entry_can_make_is_named() -> None:
    assert post_data().remade == (18685,)
    assert post_data(present=("index public.ri",)).remade == ()


def test_what_is_present_is_not_made_again_but_commented() -> None:
    last = post_data(
        present=("table constraint plain_pkey on public.plain", 'index public."readings v"')
    )

    assert numbers(last.keys) == [3957]
    assert numbers(last.rest) == numbers(post_data().rest)


def test_a_line_end_of_unicode_ends_no_entry() -> None:
    line = "9; 1259 1 TABLE public new\u2028line postgres"

    assert [entry.line for entry in schema_dump.entries(f"{line}\n")] == [line]
