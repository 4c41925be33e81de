"""The README's way from the tables of a shop to a file of recommendations, as it is typed there."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from recbench.benchmarks.console.command_line import application
from recbench.benchmarks.recommend import recommend
from recbench.benchmarks.run import run
from recbench.benchmarks.train import train
from tests.conftest import ROOT

MOST_COMMANDS = 4
MAINS: dict[str, Callable[..., int]] = {"run": run, "train": train, "recommend": recommend}


def write_shop(directory: Path) -> None:
    """Orders of 60 customers for 40 products: text ids, SKUs, ISO times; and a file of products."""
    rng = np.random.default_rng(3)
    pairs = rng.choice(60 * 40, 900, replace=False)
    customers, products = np.divmod(pairs, 40)
    stars = np.where(
        (customers + products) % 2 == 0, rng.integers(4, 6, 900), rng.integers(1, 4, 900)
    )
    orders = pl.DataFrame(
        {
            "customer": [f"C-{1000 + customer}" for customer in customers],
            "sku": [f"SKU/{product:03}" for product in products],
            "stars": stars,
            "ordered_at": [f"2024-03-{1 + n % 28:02}T{n % 24:02}:15:00Z" for n in range(900)],
        }
    )
    names = ["Espresso cups", *(f"Product No. {product}" for product in range(1, 40))]
    items = pl.DataFrame(
        {
            "sku": [f"SKU/{product:03}" for product in range(40)],
            "title": names,
            "genres": ["Kitchen" if product % 2 else "Garden" for product in range(40)],
        }
    )
    orders.write_csv(directory / "orders.csv")
    items.write_csv(directory / "products.csv")
    (directory / "sold-out.txt").write_text("SKU/001\nSKU/003\n")


def commands_of_readme() -> list[list[str]]:
    """The commands of the section, as words, each with the name of its command first."""
    readme = (ROOT / "README.md").read_text().replace("\\\n", " ")
    section = readme.partition("## From ratings to recommendations")[2].partition("\n## ")[0]
    lines = re.findall(r"^python -m benchmarks\.(.*?)(?: +#.*)?$", section, re.M)
    return [shlex.split(line) for line in lines]


@pytest.mark.slow
def test_the_commands_of_the_readme_lead_from_orders_to_a_file_of_lists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shop(tmp_path)
    monkeypatch.chdir(tmp_path)
    typed = commands_of_readme()
    first_with_lists = next(n for n, words in enumerate(typed, 1) if "top10.parquet" in words)
    assert first_with_lists <= MOST_COMMANDS

    outputs = []
    for name, *arguments in typed:
        if name == "run":  # fewer trials and folds, in this process: the rest is as typed
            arguments[arguments.index("--tune") + 1] = "2"
            arguments += ["--folds", "2", "--no-report", "--debug"]
        result = CliRunner().invoke(application(MAINS[name]), arguments)
        assert result.exit_code == 0, result.output
        outputs.append(result.output)

    command = "benchmarks.train comparison --best ndcg@10 --out model"
    assert command in outputs[0].replace(str(tmp_path) + "/", "")
    assert "It was the best row of the run in ndcg@10" in outputs[1]

    lists = pl.read_parquet("top10.parquet")
    assert len(lists) == 600 and lists["user"].n_unique() == 60
    assert set(lists["item"].str.head(4)) == {"SKU/"}
    assert "Espresso cups" in set(lists["title"])
    orders = pl.read_csv("orders.csv")
    bought = set(zip(orders["customer"], orders["sku"], strict=True))
    assert not bought & set(zip(lists["user"], lists["item"], strict=True))

    for_a_customer, like_cups, in_kitchen = outputs[3:]
    assert "because of" in for_a_customer
    assert "like Espresso cups [SKU/000]" in like_cups
    assert (
        "[SKU/001]" not in in_kitchen and "[SKU/003]" not in in_kitchen.partition("rated best")[0]
    )
