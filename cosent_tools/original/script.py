"""Scripts of the user's checkout of bojone/CoSENT: reading, checking and setting them.

cosent_tf is not imported here, as it must not be in the process that runs such a script.
"""

import ast
from pathlib import Path

FOLDER = 'accuracy'  # of the checkout
TASKS = ('ATEC', 'BQ', 'LCQMC', 'PAWSX')  # that the scripts know
# Names in a script whose values are set from outside.
PATHS = ('config_path', 'checkpoint_path', 'dict_path', 'data_path')
SETTINGS = ('maxlen', 'batch_size', 'epochs')
# Names and attributes that its results are read from, or that are wrapped.
NEEDED = {
    *('task_name', 'valid_generator', 'evaluator', 'evaluate', 'metrics', 'best_threshold'),
    *('build_transformer_model', 'Tokenizer', 'Adam', 'minimize', 'spearmanr', 'fit_generator'),
}


class NotFound(Exception):
    """The script is not a supported one; the message is one line."""


def read_script(checkout: Path, method: str) -> tuple[Path, ast.Module]:
    """Read the script of a method and check that it has all that is needed.

    Raises:
        NotFound: names what was not found.
    """
    path = checkout / FOLDER / f'{method}.py'
    try:
        tree = ast.parse(path.read_text('utf-8'), str(path))
    except FileNotFoundError:
        raise NotFound(
            f'{path} not found: --original must be a checkout of https://github.com/bojone/CoSENT'
        ) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise NotFound(f'{path}: not readable as a script: {error}') from error
    nodes = list(ast.walk(tree))
    known = {node.id for node in nodes if isinstance(node, ast.Name)}
    known |= {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    known |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    missing = sorted(NEEDED - known) + [n for n in PATHS + SETTINGS if n not in assigned(tree)]
    if missing:
        raise NotFound(
            f'{path}: no {", ".join(missing)} in it: this revision of the script is not supported'
        )
    return path, tree


def assigned(tree: ast.Module) -> dict[str, ast.Assign]:
    """Return the assignments to single names at the top of a script, by name."""
    return {
        node.targets[0].id: node
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def own_settings(checkout: Path, method: str, task: str) -> dict[str, int]:
    """Return maxlen, batch_size and epochs as the script sets them for a task.

    Raises:
        NotFound: as `read_script`, or one of them is not computed from `task_name` alone.
    """
    path, tree = read_script(checkout, method)
    settings = {}
    for name in SETTINGS:
        code = compile(ast.Expression(assigned(tree)[name].value), str(path), 'eval')
        try:
            settings[name] = eval(code, {'task_name': task, '__builtins__': {}})
        except NameError as error:
            raise NotFound(f'{path}: {name} depends on more than task_name: {error}') from error
    return settings


def with_values(tree: ast.Module, values: dict[str, object]) -> ast.Module:
    """Replace the values that are assigned to some names at the top of a script."""
    for name, value in values.items():
        node = assigned(tree)[name]
        node.value = ast.copy_location(ast.Constant(value), node.value)
    return tree
